"""Composition root: settings, adapters, ladders, routers."""

import sys
from typing import Final

from pointsman.degradation.adapters.sqlite_surroundings import SqliteSurroundings
from pointsman.degradation.climbing.climber import Climber
from pointsman.degradation.climbing.ladders import Ladders
from pointsman.degradation.climbing.overrides import Overrides
from pointsman.degradation.climbing.questions import Questions
from pointsman.degradation.domain.record import TOPICS, Record, Records
from pointsman.degradation.handlers import (
    build_command_router,
    build_query_router,
    build_telemetry_router,
)
from pointsman.degradation.settings import Settings
from pointsman.eventstore.event_sources import EventSource
from pointsman.eventstore.feed import follow_feed
from pointsman.eventstore.own_events import OwnEvents
from pointsman.eventstore.ports import EventStore, LogUnavailableError
from pointsman.eventstore.service import Service
from pointsman.runtime.broker import ServiceBroker, build_broker, probe
from pointsman.runtime.clock import SystemClock
from pointsman.runtime.service import ServiceScope

_SERVICE: Final = "degradation"


async def start(scope: ServiceScope, settings: Settings, store: EventStore) -> None:
    """Fold what was decided, take commands, then follow the feed."""
    records = Records()
    own = OwnEvents(store, settings.codec(), TOPICS, records.evolve)

    async def forget_log() -> None:
        own.close()

    scope.on_stop(forget_log, "own events")
    await own.load()
    view = SqliteSurroundings(settings.data)
    scope.on_stop(view.close, "view")
    clock = SystemClock()

    def climb(record: Record) -> Climber:
        climber = Climber(record, own, view, settings.rules, clock)
        scope.spawn(climber.run(), f"ladder of {record.pool}")
        return climber

    ladders = Ladders(records, climb)
    broker = _broker(scope, settings)
    scope.on_stop(broker.stop, "broker")
    connection = await broker.connect()
    await probe(connection, user=settings.nats_user)
    broker.include_router(build_command_router(Overrides(ladders, clock)))
    broker.include_router(build_query_router(Questions(ladders, settings.rules, clock)))
    broker.include_router(build_telemetry_router(ladders))
    for pool in (settings.pool, *records):
        ladders.open(pool)
    # An operator's override and its end need nothing but the log.
    await broker.start()
    source = await follow_feed(scope, connection, _SERVICE)
    scope.spawn(_follow(scope, view, source), "view of the feed")


def _broker(scope: ServiceScope, settings: Settings) -> ServiceBroker:
    def on_state(connected: bool, detail: str) -> None:  # noqa: FBT001 - OnState's shape
        scope.health.set("bus", ok=connected, detail=detail)

    return build_broker(
        settings.nats,
        name=_SERVICE,
        on_fatal=scope.fatal,
        on_state=on_state,
        transient=(LogUnavailableError,),
    )


async def _follow(scope: ServiceScope, view: SqliteSurroundings, source: EventSource) -> None:
    """A view that met an event of a newer release stays there, and the ladder goes on."""
    scope.health.set("view", ok=False, detail=await view.run(source))


SERVICE: Final = Service(_SERVICE, Settings, start)


def main() -> int:
    """Run the degradation service alone; gives the exit status."""
    return SERVICE.run()


if __name__ == "__main__":
    sys.exit(main())
