"""Composition root: settings, adapters, leader, routers."""

import asyncio
import os
import sys
from collections.abc import Callable
from typing import Final
from uuid import uuid4

import structlog
from nats.aio.client import Client

from pointsman.contracts.topics import EventCodec
from pointsman.eventstore.dead_letters import DeadLetterBox
from pointsman.eventstore.log_tail import LogTail
from pointsman.eventstore.ports import EventStore, LogUnavailableError
from pointsman.eventstore.publications import PackedFeed, PublicEvents
from pointsman.eventstore.relay import Relay
from pointsman.eventstore.service import Service
from pointsman.runtime.blobs import SqliteBlobs
from pointsman.runtime.broker import ServiceBroker, build_broker, probe
from pointsman.runtime.clock import SystemClock
from pointsman.runtime.service import ServiceScope
from pointsman.runtime.streams import provision
from pointsman.scheduler.adapters.nats_inbox import NatsInbox
from pointsman.scheduler.adapters.nats_orders import NatsOrders
from pointsman.scheduler.adapters.nats_readings import NatsReadings
from pointsman.scheduler.adapters.registry_file import RegistryFile
from pointsman.scheduler.adapters.system import SystemDraws
from pointsman.scheduler.adapters.views import TaskViews
from pointsman.scheduler.domain.lease_clocks import LeaseClocks
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.handlers import build_command_router, build_query_router
from pointsman.scheduler.leading.decision_log import DecisionLog
from pointsman.scheduler.leading.dispatch import Dispatch
from pointsman.scheduler.leading.load_readings import publish_load
from pointsman.scheduler.leading.pool_leader import PoolLeader
from pointsman.scheduler.leading.questions import Questions
from pointsman.scheduler.leading.redrive import Redrive
from pointsman.scheduler.leading.submissions import Submissions
from pointsman.scheduler.leading.take_lead import register_models, take_lead
from pointsman.scheduler.settings import Settings

_SERVICE: Final = "scheduler"
_PRUNE_EVERY_S: Final = 3600.0

_log = structlog.get_logger(__name__)


class _Process:
    """The parts of one scheduler while it starts."""

    def __init__(self, scope: ServiceScope, settings: Settings, store: EventStore) -> None:
        self.scope = scope
        self.settings = settings
        self.store = store
        self.clock = SystemClock()
        self.codec = EventCodec()
        self.pool = Pool(settings.pool)
        self.leader: PoolLeader | None = None

    async def start(self) -> None:
        """Lead the pool, then take requests: nobody is answered before that."""
        scope, settings, pool, clock = self.scope, self.settings, self.pool, self.clock
        store = self.store
        registry = RegistryFile(settings.registry)
        blobs = SqliteBlobs(settings.data / "blobs", _SERVICE)
        scope.on_stop(blobs.close, "blobs")
        scope.spawn(_prune(store), "inbox rows")
        log = await take_lead(
            pool,
            store,
            self.codec,
            holder=str(uuid4()),
            clock=clock,
            on_broken=scope.fatal,
            on_end=lambda end: self._on_end(end, "folding"),
        )
        await register_models(pool, log, registry, clock)
        broker = self._broker()
        connection = await broker.connect()
        scope.on_stop(broker.stop, "broker")
        await probe(connection, user=settings.nats_user)
        tail = LogTail(store)
        scope.on_stop(tail.close, "log tail")
        relay = await self._publish(store, tail, connection)
        questions = self._questions(store, tail, relay)
        self.leader = self._lead(log, store, connection)
        submissions = Submissions(pool, log, blobs, clock)
        readings = NatsReadings(connection)
        scope.spawn(publish_load(pool, readings, clock, submissions.shed), "load readings")
        redrive = Redrive(store, self.codec, log, blobs, submissions, clock)
        broker.include_router(build_command_router(pool.name, self.leader, submissions, redrive))
        broker.include_router(build_query_router(questions))
        await broker.start()
        self._take_tasks(
            connection,
            submissions,
            DeadLetterBox(log, blobs, clock, applied_to=lambda: pool.applied_to),
        )

    def _broker(self) -> ServiceBroker:
        return build_broker(
            self.settings.nats,
            name=_SERVICE,
            on_fatal=self.scope.fatal,
            on_state=self._bus_changed,
            transient=(LogUnavailableError,),
        )

    def _take_tasks(self, nc: Client, submissions: Submissions, letters: DeadLetterBox) -> None:
        inbox = NatsInbox(nc, submissions, letters, self.clock, lambda: provision(nc))
        self.scope.spawn(inbox.run(), "inbox", finish=True)
        self.scope.on_stop(inbox.stop, "inbox puller")

    def _bus_changed(self, connected: bool, detail: str) -> None:  # noqa: FBT001 - the runtime's
        self.scope.health.set("bus", connected, detail)
        if self.leader is not None:
            self.leader.connection_changed(connected=connected)

    async def _publish(self, store: EventStore, tail: LogTail, nc: Client) -> Relay:
        async def provide() -> None:
            await provision(nc)

        await provide()
        relays = [
            Relay(store, nc, publication, provision=provide, log=tail)
            for publication in (PackedFeed(), PublicEvents(self.settings.pool))
        ]
        for relay in relays:
            self.scope.spawn(relay.run(), f"relay {relay.stream}")
        return relays[0]

    def _questions(self, store: EventStore, tail: LogTail, relay: Relay) -> Questions:
        views = TaskViews(self.settings.data, tail, on_stopped=self._view_stopped)
        self.scope.on_stop(views.close, "views")
        self.scope.spawn(views.run(), "views")
        return Questions(
            self.pool,
            store,
            self.codec,
            views,
            feed_position=lambda: relay.position,
            pid=os.getpid(),
        )

    def _view_stopped(self, name: str, reason: str) -> None:
        """A view met an event of a newer release; it answers with what it has, the rest goes on."""
        self.scope.health.set(f"view {name}", ok=False, detail=reason)

    def _lead(self, log: DecisionLog, store: EventStore, nc: Client) -> PoolLeader:
        clocks = LeaseClocks(now=self.clock.monotonic())
        dispatch = Dispatch(self.pool, NatsOrders(nc, self.pool.name), clocks, self.clock)
        self.scope.on_stop(dispatch.drain, "dispatch")
        leader = PoolLeader(self.pool, log, dispatch, clocks, self.clock, SystemDraws())
        self._on_end(store.on_commit(lambda _: leader.wake()), "waking")
        self.scope.spawn(leader.run(), "leader")
        return leader

    def _on_end(self, end: Callable[[], None], what: str) -> None:
        async def ending() -> None:
            end()

        self.scope.on_stop(ending, what)


async def start(scope: ServiceScope, settings: Settings, store: EventStore) -> None:
    """Return when the pool is led and requests are taken."""
    await _Process(scope, settings, store).start()


async def _prune(store: EventStore) -> None:
    """Forget command ids that are older than the time in which a repetition is recognised."""
    while True:
        try:
            await store.prune_inbox()
        except LogUnavailableError as error:
            _log.warning("inbox_not_pruned", code=error.code, detail=str(error))
        await asyncio.sleep(_PRUNE_EVERY_S)


SERVICE: Final = Service(_SERVICE, Settings, start)


def main() -> int:
    """Run the scheduler; returns the exit status."""
    return SERVICE.run()


if __name__ == "__main__":
    sys.exit(main())
