"""Answers about the pool, its tasks and its log; asking changes nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import pytest
from msgspec.structs import replace

from pointsman.contracts.bulk import AskBulk, BulkRow
from pointsman.contracts.commands import Accepted
from pointsman.contracts.endurance import AttemptProgress
from pointsman.contracts.leases import Renewal
from pointsman.contracts.queries import (
    DeadLetterRow,
    ListDeadLetters,
    ListEvents,
    ListTasks,
    TaskRow,
)
from pointsman.contracts.recorded import PACK_BYTES
from pointsman.contracts.streams import stream_id
from pointsman.contracts.topics import EventCodec
from pointsman.scheduler.leading.questions import Questions
from tests.support.device_health import health
from tests.support.leading import Scheduler, World, scheduler
from tests.support.scheduling import NOON, A, attach, model, offer, report, submission

ROW = TaskRow(
    task=A,
    tenant="acme",
    family="summarize",
    priority_class="standard",
    state="queued",
    accepted_at=NOON,
    position=3,
)


@dataclass(slots=True)
class FakeViews:
    """Implements `ports.Views` with one row; remembers up to where it was waited for."""

    waited_for: list[int] = field(default_factory=list[int])
    row: TaskRow = ROW

    async def caught_up(self, position: int, *, timeout_s: float) -> bool:
        self.waited_for.append(position)
        return True

    async def tasks(self, query: ListTasks) -> Sequence[TaskRow]:
        return [ROW]

    async def task(self, task: UUID) -> TaskRow | None:
        return self.row if task == self.row.task else None

    async def bulk(self, pool: str, asked: AskBulk) -> Mapping[str, int]:
        return {"queued": 2} if (pool, asked.bulk) == ("main", "backfill") else {}

    async def dead_letters(self, query: ListDeadLetters) -> Sequence[DeadLetterRow]:
        return []


@pytest.fixture
async def here() -> Scheduler:
    return await scheduler(World())


def questions(here: Scheduler, views: FakeViews | None = None) -> Questions:
    return Questions(
        here.pool,
        here.store,
        EventCodec(),
        views or FakeViews(),
        feed_position=lambda: 2,
        pid=4242,
        now=here.clock.wall,
        progress=here.clocks.progress,
    )


async def submitted(here: Scheduler, command_id: str = "order-1") -> UUID:
    answer = await here.submissions.submit(submission(command_id=command_id), door="command")
    assert isinstance(answer, Accepted)
    return answer.task


async def test_views_are_asked_when_they_know_what_the_asker_may_know(here: Scheduler) -> None:
    views = FakeViews()
    await submitted(here)

    assert await questions(here, views).tasks(ListTasks()) == [ROW]
    assert await questions(here, views).task(A) == ROW
    assert await questions(here, views).dead_letters(ListDeadLetters()) == []

    assert views.waited_for == [here.pool.applied_to] * 3


async def test_a_running_task_says_how_far_it_is(here: Scheduler) -> None:
    task = await submitted(here)
    await here.leader.attach(attach(offer()))
    await here.grant()
    views = FakeViews()
    views.row = replace(ROW, task=task)
    said = AttemptProgress(task=task, attempt=1, progress=0.35, note="round 7", silent_s=0.25)
    here.clocks.renewed(
        Renewal(pool="main", executor="executor-1", incarnation="first", progress=(said,)),
        now=here.clock.monotonic(),
    )

    row = await questions(here, views).task(task)

    assert row == replace(views.row, progress=0.35, progress_note="round 7", silent_s=0.25)


async def test_an_open_task_says_what_it_waits_for(here: Scheduler) -> None:
    task = await submitted(here)
    ask = questions(here)

    async def waits_for() -> str:
        why = await ask.why(task)
        assert why is not None
        assert why.state == "queued"
        return why.waits_for or ""

    assert "none is attached" in await waits_for()
    await here.leader.attach(attach(offer()))
    assert "a free slot" in await waits_for()
    await here.leader.health(health(healthy=False))
    assert "cpu-0 is suspended" in await waits_for()


async def test_the_history_of_a_task_names_its_positions(here: Scheduler) -> None:
    task = await submitted(here)

    why = await questions(here).why(task)

    assert why is not None
    assert why.positions == (here.pool.applied_to,)
    assert "accepted from" in why.sentences[0]


async def test_what_was_never_accepted_has_no_history(here: Scheduler) -> None:
    assert await questions(here).why(A) is None
    assert await questions(here).why(stream_id("pool", "main")) is None


async def test_events_are_read_by_position_topic_and_stream(here: Scheduler) -> None:
    task = await submitted(here)
    await submitted(here, "order-2")
    ask = questions(here)

    assert [event.position for event in await ask.events(ListEvents(after=2))] == [3, 4]
    assert len(await ask.events(ListEvents(limit=1))) == 1
    assert len(await ask.events(ListEvents(limit=-5))) == 1
    accepted = await ask.events(ListEvents(topics=("task.accepted.v1",)))
    assert {event.type for event in accepted} == {"task.accepted.v1"}
    (first,) = await ask.events(ListEvents(stream=task))
    assert (first.stream, first.version, first.tenant) == (task, 1, "acme")
    assert await ask.events(ListEvents(stream=task, after=1)) == []


async def test_an_answer_with_events_fits_into_a_message(here: Scheduler) -> None:
    for n in range(8):
        answer = await here.submissions.submit(
            submission(command_id=f"order-{n}", tenant="a" * 100_000), door="command"
        )
        assert isinstance(answer, Accepted)

    events = await questions(here).events(ListEvents(limit=1000))

    assert 1 < len(events) < 10
    assert sum(len(bytes(event.data)) for event in events) <= PACK_BYTES


async def test_the_pool_is_told_in_one_row(here: Scheduler) -> None:
    await submitted(here)

    row = questions(here).pool()

    assert (row.pool, row.epoch, row.holder) == ("main", 1, "here")
    assert (row.queued, row.granted, row.position) == (1, 0, here.pool.applied_to)
    assert (row.feed_position, row.pid) == (2, 4242)


async def test_models_and_devices_are_told_as_the_log_has_them(here: Scheduler) -> None:
    await here.leader.attach(attach(offer("cpu-0", slots=2), offer("cpu-1")))
    await here.leader.health(health(healthy=False))
    ask = questions(here)

    (fast,) = ask.models()
    assert (fast.variant, fast.quality, fast.devices) == ("fast", 0.5, ("cpu-0", "cpu-1"))
    assert (fast.runs, fast.p50_s) == (0, None)
    first, second = ask.devices()
    assert (first.state, first.reason, first.slots) == ("suspended", "canary", 2)
    assert (second.state, second.in_flight, second.suspect) == ("ready", 0, 0)
    assert model("fast").variant in second.variants


async def test_asking_changes_nothing(here: Scheduler) -> None:
    task = await submitted(here)
    position = here.pool.applied_to
    ask = questions(here)

    await ask.why(task)
    ask.models()
    ask.devices()
    ask.pool()
    await here.leader.report(report(A, 1))

    assert here.pool.applied_to == position


async def test_how_a_bulk_stands_is_asked_of_a_view_that_has_caught_up(here: Scheduler) -> None:
    await here.submissions.submit(submission(), door="command")
    views = FakeViews()

    row = await questions(here, views).bulk(AskBulk(tenant="acme", bulk="backfill"))

    assert row == BulkRow(pool="main", tenant="acme", bulk="backfill", states={"queued": 2})
    assert views.waited_for == [here.pool.applied_to]
