"""Composition root: settings, fold, view, inbox, routers."""

import sys
from typing import Final

from nats.aio.client import Client

from pointsman.contracts import subjects
from pointsman.contracts.topics import EventCodec
from pointsman.eventstore.dead_letters import DeadLetterBox
from pointsman.eventstore.feed import follow_feed
from pointsman.eventstore.journal import Journal
from pointsman.eventstore.own_events import OwnEvents
from pointsman.eventstore.ports import EventStore, LogUnavailableError
from pointsman.eventstore.service import Service
from pointsman.feedback.adapters.nats_inbox import NatsInbox
from pointsman.feedback.adapters.views import TaskView
from pointsman.feedback.domain.learned import TOPICS, Learned
from pointsman.feedback.handlers import build_command_router, build_query_router
from pointsman.feedback.learning.giving import Giving
from pointsman.feedback.learning.learner import Learner
from pointsman.feedback.learning.questions import Questions
from pointsman.feedback.learning.withdrawing import Withdrawing
from pointsman.feedback.settings import Settings
from pointsman.runtime.blobs import SqliteBlobs
from pointsman.runtime.broker import build_broker, probe
from pointsman.runtime.clock import SystemClock
from pointsman.runtime.service import ServiceScope
from pointsman.runtime.streams import StreamPlan, plans, provision

_SERVICE: Final = "feedback"


async def start(scope: ServiceScope, settings: Settings, store: EventStore) -> None:
    """Fold the log, follow the feed, then take requests and ratings."""
    clock, codec, learned = SystemClock(), settings.codec(), Learned()
    blobs = SqliteBlobs(settings.data / "blobs", _SERVICE)
    scope.on_stop(blobs.close, "blobs")
    broker = build_broker(
        settings.nats,
        name=_SERVICE,
        on_fatal=scope.fatal,
        on_state=lambda connected, detail: scope.health.set("bus", connected, detail),
        transient=(LogUnavailableError,),
    )
    connection = await broker.connect()
    scope.on_stop(broker.stop, "broker")
    await probe(connection, user=settings.nats_user)
    view = await _view(scope, settings, connection)
    learner = Learner(
        learned,
        view,
        clock,
        window_s=settings.feedback_window_s,
        measure_every_s=settings.feedback_measure_every_s,
    )
    own = await _own_events(scope, store, codec, learner)
    scope.spawn(learner.run(own), "learner")
    giving = Giving(own, learned, view, blobs, clock)
    broker.include_router(build_command_router(giving, Withdrawing(own, learned, clock)))
    broker.include_router(build_query_router(Questions(learned, view)))
    await broker.start()
    letters = DeadLetterBox(Journal(store, codec), blobs, clock, applied_to=lambda: own.position)
    inbox = NatsInbox(connection, giving, letters, lambda: provision(connection, [_ratings()]))
    scope.spawn(inbox.run(), "inbox", finish=True)
    scope.on_stop(inbox.stop, "inbox puller")


async def _own_events(
    scope: ServiceScope, store: EventStore, codec: EventCodec, learner: Learner
) -> OwnEvents:
    own = OwnEvents(store, codec, TOPICS, learner.evolve)

    async def close() -> None:
        own.close()

    scope.on_stop(close, "own events")
    await own.load()
    return own


async def _view(scope: ServiceScope, settings: Settings, nc: Client) -> TaskView:
    view = TaskView(settings.data, await follow_feed(scope, nc, _SERVICE))
    scope.on_stop(view.close, "view")

    async def follow() -> None:
        # A view that has stopped answers with what it has, the rest goes on.
        stopped = await view.run()
        scope.health.set("view feedback_tasks", ok=False, detail=stopped)

    scope.spawn(follow(), "view")
    return view


def _ratings() -> StreamPlan:
    (plan,) = (each for each in plans() if each.config.name == subjects.FEEDBACK_STREAM)
    return plan


SERVICE: Final = Service(_SERVICE, Settings, start)


def main() -> int:
    """Run the feedback service alone; returns the exit status."""
    return SERVICE.run()


if __name__ == "__main__":
    sys.exit(main())
