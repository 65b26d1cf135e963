"""Composition root of the context service: `python -m pointsman.context`."""

import sys
from typing import Final

from pointsman.context.adapters.characters import CharacterTokens
from pointsman.context.adapters.nats_scheduler import NatsScheduler
from pointsman.context.adapters.views import ContextViews
from pointsman.context.domain.context_pool import ContextPool
from pointsman.context.handlers import build_command_router, build_query_router
from pointsman.context.ports import Scheduler
from pointsman.context.remembering.archive import Archive, context_topics
from pointsman.context.remembering.capacity import Capacity
from pointsman.context.remembering.contexts import Contexts
from pointsman.context.remembering.conversations import Conversations
from pointsman.context.remembering.embeddings import Embeddings
from pointsman.context.remembering.follower import Follower
from pointsman.context.remembering.preparation import Preparation
from pointsman.context.remembering.projects import Projects
from pointsman.context.remembering.questions import Questions
from pointsman.context.remembering.rebuilding import Rebuilding
from pointsman.context.remembering.response_cache import ResponseCache
from pointsman.context.settings import Settings
from pointsman.eventstore.aggregates import Repository
from pointsman.eventstore.feed import follow_feed
from pointsman.eventstore.ports import EventStore, LogUnavailableError
from pointsman.eventstore.service import Service
from pointsman.runtime.blobs import Blobs, BlobsUnavailableError, SqliteBlobs
from pointsman.runtime.broker import ServiceBroker, build_broker, probe
from pointsman.runtime.clock import SystemClock
from pointsman.runtime.service import ServiceScope

_SERVICE: Final = "context"
# Tasks are held until they are prepared.
_ROUNDS_PER_S: Final = 20.0


class _Parts:
    """The parts of one running service."""

    def __init__(
        self,
        settings: Settings,
        store: EventStore,
        blobs: Blobs,
        views: ContextViews,
        scheduler: Scheduler,
    ) -> None:
        clock, codec, tokens = SystemClock(), settings.codec(), CharacterTokens()
        topics = context_topics()
        repository = Repository(store, topics)
        pool = ContextPool(settings.context_pool_bytes)
        self.capacity = Capacity(
            store, codec, pool, clock, name=settings.pool, start_bytes=settings.context_pool_bytes
        )
        conversations = Conversations(store, repository, pool, blobs, tokens, clock)
        embeddings = Embeddings(scheduler, views, blobs, clock)
        responses = ResponseCache(
            store, codec, views, blobs, clock, ttl_s=settings.context_response_ttl_s
        )
        contexts = Contexts(
            store, codec, conversations, embeddings, views, pool, blobs, tokens,
            clock=clock, budget_tokens=settings.context_budget_tokens,
        )  # fmt: skip
        preparation = Preparation(contexts, responses, scheduler, clock)
        self.follower = Follower(
            views, preparation, conversations, responses, embeddings, self.capacity, clock
        )
        self.projects = Projects(repository, blobs, clock)
        archive, rebuilding = Archive(store, topics), Rebuilding(store, codec, topics, blobs)
        self.questions = Questions(archive, rebuilding, views, views, pool, responses, blobs, clock)


async def start(scope: ServiceScope, settings: Settings, store: EventStore) -> None:
    """Open blobs and view, wait for the feed, then answer; all that has to end is the scope's."""
    broker = _broker(scope, settings)
    connection = await broker.connect()
    scope.on_stop(broker.stop, "broker")
    await probe(connection, user=settings.nats_user)
    blobs = SqliteBlobs(settings.data / "blobs", _SERVICE)
    scope.on_stop(blobs.close, "blobs")
    source = await follow_feed(scope, connection, _SERVICE, rounds_per_s=_ROUNDS_PER_S)

    def stopped(name: str, reason: str) -> None:
        """An event of a newer release: what is there is still answered, nothing new is taken."""
        scope.health.set(f"view {name}", ok=False, detail=reason)

    views = ContextViews(settings.data, responses=settings.context_responses, on_stopped=stopped)
    scope.on_stop(views.close, "views")
    scheduler = NatsScheduler(connection)
    scope.on_stop(scheduler.stop, "requests to the scheduler")
    parts = _Parts(settings, store, blobs, views, scheduler)
    await parts.capacity.own.load()

    async def listen_no_more() -> None:
        parts.capacity.own.close()

    scope.on_stop(listen_no_more, "own events")
    broker.include_router(build_command_router(parts.projects))
    broker.include_router(build_query_router(parts.questions))
    await broker.start()
    scope.spawn(views.run(source), "view")
    scope.on_stop(parts.follower.stop, "lanes")
    scope.spawn(parts.follower.run(), "follower")


def _broker(scope: ServiceScope, settings: Settings) -> ServiceBroker:
    def bus_changed(connected: bool, detail: str) -> None:  # noqa: FBT001 - the runtime's
        scope.health.set("bus", connected, detail)

    return build_broker(
        settings.nats,
        name=_SERVICE,
        on_fatal=scope.fatal,
        on_state=bus_changed,
        transient=(LogUnavailableError, BlobsUnavailableError),
    )


SERVICE: Final = Service(_SERVICE, Settings, start)


def main() -> int:
    """Run the context service; returns the exit status."""
    return SERVICE.run()


if __name__ == "__main__":
    sys.exit(main())
