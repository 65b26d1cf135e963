"""The ways to the scheduler, and the view that follows the feed."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import given, settings
from nats.aio.msg import Msg

from pointsman.context.adapters.concerned_source import ConcernedSource
from pointsman.context.adapters.nats_scheduler import NatsScheduler
from pointsman.context.adapters.views import ContextViews
from pointsman.context.domain.tasks import SOURCE
from pointsman.context.ports import Scheduler, SchedulerSilentError
from pointsman.contracts import subjects
from pointsman.contracts.commands import PrepareTask, SubmitTask
from pointsman.contracts.recorded import Recorded
from pointsman.runtime.nats_client import nats_client
from pointsman.testing.waiting import wait_until
from tests.context.scheduler_contract import Making, SchedulerContract
from tests.context.world import World, a_world


@dataclass
class Made:
    """Implements `Making`."""

    scheduler: Scheduler
    world: World


class TestMemoryScheduler(SchedulerContract):
    @pytest.fixture
    def made(self, world: World) -> Making:
        return Made(world.scheduler, world)


class TestNatsScheduler(SchedulerContract):
    @pytest.fixture
    async def made(self, world: World, nats_url: str) -> AsyncGenerator[Making]:
        nc = await nats_client(nats_url)
        far = world.scheduler

        async def answer(message: Msg) -> None:
            try:
                answers = (
                    [await far.submit("main", t) for t in submits.decode(message.data)]
                    if message.subject.endswith("submit")
                    else [await far.prepare("main", t) for t in prepares.decode(message.data)]
                )
            except SchedulerSilentError:
                return
            await message.respond(msgspec.json.encode(answers))

        submits = msgspec.json.Decoder(list[SubmitTask])
        prepares = msgspec.json.Decoder(list[PrepareTask])
        for verb in ("submit", "prepare"):
            await nc.subscribe(subjects.command("scheduler", verb, "main"), cb=answer)
        await nc.flush()
        scheduler = NatsScheduler(nc)
        yield Made(scheduler, world)
        await scheduler.stop()
        await nc.close()


class Batches:
    """An event source that hands out a log in runs of given lengths."""

    def __init__(self, log: Sequence[Recorded], lengths: Sequence[int]) -> None:
        self._log = log
        self._lengths = list(lengths)

    async def next(self, after: int) -> Sequence[Recorded]:
        if after >= len(self._log):
            await asyncio.Event().wait()
        length = self._lengths.pop(0) if self._lengths else len(self._log)
        return self._log[after : after + length]

    async def head(self) -> int:
        return len(self._log)

    async def incarnation(self) -> str:
        return "a-log"


async def a_log(data: Path) -> Sequence[Recorded]:
    """Tasks of every kind, with everything that the service adds."""
    async with a_world(data) as world:
        for number in range(3):
            plain = await world.accept(f"Plain {number}", parameters={"plain": "yes"})
            task = await world.accept(f"Apples {number}", conversation="chat", project="plan")
            cached = await world.accept("Same", cache=True)
            await world.complete(plain, "Fine.")
            await world.prepared(task)
            await world.complete(task, "Red.")
            await world.prepared(cached)
            if number == 0:
                await world.complete(cached, "Once.")
            await world.quiet()
        misleading = await world.accept("Plain", parameters={"conversation": "none"})
        await world.complete(misleading, "Fine.")
        await world.accept("Open", conversation="chat")
        await world.quiet()
        return await world.log.store.read(0, limit=10_000)


async def view_of(log: Sequence[Recorded], lengths: Sequence[int], data: Path) -> object:
    world = World(data)
    views = ContextViews(data, responses=10_000)
    running = asyncio.create_task(views.run(Batches(log, lengths)))
    assert await views.caught_up(len(log), timeout_s=10)
    running.cancel()
    await asyncio.wait([running])
    await views.close()
    return world.view_rows()


async def test_a_plain_task_is_not_handed_on_to_the_view(tmp_path: Path) -> None:
    log = await a_log(tmp_path)
    source = ConcernedSource(Batches(log, []), [])

    handed_on = await source.next(0)

    plain = {event.stream for event in log if b'"plain"' in bytes(event.data)}
    ended = {event.stream for event in handed_on[:-1] if event.type == "task.completed.v1"}
    assert len(plain) == 3
    assert not plain & ended
    assert handed_on[-1] == log[-1]


@given(lengths=st.lists(st.integers(1, 30), max_size=12))
@settings(max_examples=15)
def test_however_the_log_is_cut_the_view_is_the_same(
    lengths: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    async def check() -> None:
        log = await a_log(tmp_path_factory.mktemp("made"))
        whole = await view_of(log, [], tmp_path_factory.mktemp("whole"))
        assert await view_of(log, lengths, tmp_path_factory.mktemp("cut")) == whole

    asyncio.run(check())


async def test_a_run_that_is_asked_for_again_is_the_same(tmp_path: Path) -> None:
    """The view asks again when it could not write: a task must not be forgotten before that."""
    log = await a_log(tmp_path)
    ends = [e.position for e in log if e.type == "task.completed.v1"]
    lengths = [position - before for before, position in zip([0, *ends], ends, strict=False)]
    source = ConcernedSource(Batches(log, [n for n in lengths for _ in range(2)]), [])

    position = 0
    for _ in lengths:
        first, again = await source.next(position), await source.next(position)
        assert first == again
        position = first[-1].position


async def test_the_embedding_of_another_tenants_task_is_not_found(world: World) -> None:
    """Who names a foreign task as the one that is served gets nowhere."""
    task = await world.turn("Apples", "Red.")
    await world.quiet()
    await world.accept("Forged", tenant="globex", source=SOURCE, message_id=f"embed-input:{task}")
    await world.accept("Odd", tenant="globex", source=SOURCE, message_id="embed-input:nothing")
    await world.quiet()

    theirs = await world.now.views.embeddings("acme", [task])
    forged = await world.now.views.embeddings("globex", [task])

    assert theirs[task].result is not None
    assert forged[task].result is None
    assert await world.now.views.embeddings("acme", [uuid4()]) == {}


async def test_a_view_that_meets_a_newer_event_stops_and_says_why(tmp_path: Path) -> None:
    said: list[tuple[str, str]] = []
    async with a_world(tmp_path / "log", following=False) as world:
        await world.accept("Why?", conversation="chat")
        (first,) = await world.log.store.read(0)
        newer = msgspec.structs.replace(first, type="task.accepted.v2")
        views = ContextViews(
            tmp_path, responses=1, on_stopped=lambda name, why: said.append((name, why))
        )

        await views.run(Batches([newer], []))
        await wait_until(lambda: bool(said))
        await views.close()

    ((name, reason),) = said
    assert name == "context"
    assert "task.accepted.v2" in reason
