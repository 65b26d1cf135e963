"""The context service at work on a log in memory, from its start to its end."""

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from pointsman.context.adapters.characters import CharacterTokens
from pointsman.context.adapters.views import ContextViews
from pointsman.context.domain.context_pool import ContextPool
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
from pointsman.contracts.commands import (
    PrepareTask,
)
from pointsman.contracts.events import TaskAccepted
from pointsman.eventstore.aggregates import Repository
from pointsman.eventstore.projections import LogSource, view_path
from pointsman.testing.clock import FakeClock
from pointsman.testing.memory_blobs import MemoryBlobs
from pointsman.testing.waiting import wait_until
from tests.context.scheduling import Log, MemoryScheduler, accepted, completed

TEXT = "text/plain"
POOL_BYTES = 1_000_000


@dataclass
class Life:
    """One life of the service; what it knows beyond the log and its view is gone with it."""

    views: ContextViews
    pool: ContextPool
    embeddings: Embeddings
    responses: ResponseCache
    capacity: Capacity
    follower: Follower
    projects: Projects
    questions: Questions
    rebuilding: Rebuilding
    running: list[asyncio.Task[None]] = field(default_factory=list[asyncio.Task[None]])

    async def end(self) -> None:
        for task in self.running:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        await self.follower.stop()
        self.capacity.own.close()
        await self.views.close()


class World:
    """A log, blobs, a scheduler, and the service between them."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.clock = FakeClock()
        self.log = Log(self.clock)
        self.blobs = MemoryBlobs()
        self.scheduler = MemoryScheduler(self.log, self.blobs)
        self.pool_bytes = POOL_BYTES
        self.responses = 10_000
        self.life: Life | None = None

    @property
    def now(self) -> Life:
        assert self.life is not None
        return self.life

    async def begin(self, *, following: bool = True) -> Life:
        """Start the service; with `following` false it looks at nothing."""
        life = self.life = self._compose()
        await life.capacity.own.load()
        if following:
            self.follow()
        return life

    def follow(self) -> None:
        """Look at the log from now on."""
        life = self.now
        life.running = [
            asyncio.create_task(life.views.run(LogSource(self.log.store))),
            asyncio.create_task(life.follower.run()),
        ]

    def view_rows(self) -> dict[str, list[tuple[object, ...]]]:
        """Everything that the view holds, whatever order it was written in."""
        with contextlib.closing(sqlite3.connect(view_path(self.data, "context"))) as db:
            tables = db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
            return {
                name: sorted(db.execute(f'SELECT * FROM "{name}"'), key=repr)  # noqa: S608 - names of tables
                for (name,) in tables
                if name != "projection"
            }

    def delete_view(self) -> None:
        """As if the file had been lost; end the life before."""
        for path in view_path(self.data, "context").parent.iterdir():
            path.unlink()

    async def end(self) -> None:
        if self.life is not None:
            await self.life.end()
            self.life = None

    async def again(self) -> Life:
        """End this life and begin another."""
        await self.end()
        return await self.begin()

    async def accept(
        self,
        content: str | bytes,
        *,
        tenant: str = "acme",
        media_type: str = TEXT,
        **more: Any,  # noqa: ANN401 - fields of a task
    ) -> UUID:
        """A task is accepted; gives its id."""
        data = content.encode() if isinstance(content, str) else content
        ref = await self.blobs.put(tenant, data, media_type)
        task = uuid4()
        event = accepted(self.clock.wall(), ref, tenant=tenant, **more)
        await self.log.record(task, event, tenant)
        return task

    async def complete(
        self, task: UUID, result: str | bytes, *, media_type: str = TEXT, variant: str = ""
    ) -> int:
        """A task completes; gives the position."""
        tenant = (await self.log.store.read_stream(task))[0].tenant
        data = result.encode() if isinstance(result, str) else result
        ref = await self.blobs.put(tenant, data, media_type)
        event = completed(self.clock.wall(), ref, variant or "summarize_hashed")
        return await self.log.record(task, event, tenant)

    async def prepared(self, task: UUID) -> PrepareTask:
        """What the scheduler was told about a task, once it was."""
        await wait_until(lambda: task in self.scheduler.prepared, timeout_s=60)
        return self.scheduler.prepared[task]

    async def runs_on(self, task: UUID) -> str:
        """The payload of a task in words."""
        prepared = await self.prepared(task)
        event = (await self.log.store.read_stream(task))[0]
        known = self.log.codec.decode(event.type, bytes(event.data))
        assert isinstance(known, TaskAccepted)
        ref = prepared.payload or known.payload
        return (await self.blobs.get(event.tenant, ref)).decode()

    async def turn(
        self,
        content: str,
        result: str,
        conversation: str = "chat",
        **more: Any,  # noqa: ANN401 - fields of a task
    ) -> UUID:
        """A task of a conversation from its acceptance until its turn is in the log."""
        task = await self.accept(content, conversation=conversation, **more)
        await self.prepared(task)
        before = len(await self.log.events("conversation.turn_appended.v1"))
        await self.complete(task, result)

        async def appended() -> bool:
            return len(await self.log.events("conversation.turn_appended.v1")) > before

        await wait_until(appended, timeout_s=60)
        return task

    async def quiet(self) -> None:
        """Until nothing is due and every embedding that was asked for has been seen."""

        async def nothing_due() -> bool:
            head = await self.log.store.head()
            views = self.now.views
            if not await views.caught_up(head, timeout_s=1):
                return False
            due = await views.due(self.clock.wall() - 2, limit=10)
            return not due and await self.log.store.head() == head

        await wait_until(nothing_due, timeout_s=60)

    def _compose(self) -> Life:
        log, blobs, clock = self.log, self.blobs, self.clock
        store, codec, topics = log.store, log.codec, context_topics()
        repository, tokens = Repository(store, topics), CharacterTokens()
        views = ContextViews(self.data, responses=self.responses)
        pool = ContextPool(self.pool_bytes)
        conversations = Conversations(store, repository, pool, blobs, tokens, clock)
        embeddings = Embeddings(self.scheduler, views, blobs, clock)
        responses = ResponseCache(store, codec, views, blobs, clock, ttl_s=3600)
        contexts = Contexts(
            store, codec, conversations, embeddings, views, pool, blobs, tokens,
            clock=clock, budget_tokens=512,
        )  # fmt: skip
        preparation = Preparation(contexts, responses, self.scheduler, clock)
        capacity = Capacity(store, codec, pool, clock, name="main", start_bytes=self.pool_bytes)
        follower = Follower(
            views, preparation, conversations, responses, embeddings, capacity, clock
        )
        archive, rebuilding = Archive(store, topics), Rebuilding(store, codec, topics, blobs)
        projects = Projects(repository, blobs, clock)
        questions = Questions(archive, rebuilding, views, views, pool, responses, blobs, clock)
        return Life(
            views, pool, embeddings, responses, capacity, follower, projects, questions, rebuilding
        )


@asynccontextmanager
async def a_world(data: Path, *, following: bool = True) -> AsyncGenerator[World]:
    world = World(data)
    await world.begin(following=following)
    try:
        yield world
    finally:
        await world.end()
