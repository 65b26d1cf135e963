"""Bulks and dependencies at a leader: what its memory has lost stands in the log."""

import asyncio
from uuid import UUID, uuid4

import msgspec
import pytest

from pointsman.contracts.bulk import BulkCancelled, CancelBulk
from pointsman.contracts.commands import Accepted, CancelTask, Duplicate, Rejected
from pointsman.contracts.events import TaskAccepted, TaskCancelled, TaskFailed
from pointsman.contracts.task_states import TaskState
from pointsman.scheduler.domain.admission.dependencies import PastTask
from pointsman.scheduler.leading.bulks import Bulks
from pointsman.scheduler.leading.past_tasks import PastTasks
from pointsman.scheduler.leading.settling import Settling
from pointsman.testing.waiting import wait_until
from tests.support.leading import Scheduler, World, leading, scheduler
from tests.support.scheduling import COMPLETED, report, submission
from tests.support.task_events import accepted as accepted_event
from tests.support.task_events import cancelled as cancelled_event
from tests.support.task_events import record, stream_of

CANCEL = CancelBulk(command_id="b-1", tenant="acme", bulk="backfill", by="cli:ada", reason="wrong")


async def submitted(here: Scheduler, number: int, **wishes: object) -> UUID:
    task = msgspec.structs.replace(submission(command_id=f"order-{number}"), **wishes)
    answer = await here.submissions.submit(task, door="command")
    assert isinstance(answer, Accepted), answer
    return answer.task


async def refused(here: Scheduler, **wishes: object) -> str:
    task = msgspec.structs.replace(submission(command_id="another"), **wishes)
    answer = await here.submissions.submit(task, door="command")
    assert isinstance(answer, Rejected), answer
    return answer.code


@pytest.fixture
async def here() -> Scheduler:
    return await scheduler(World())


async def test_a_bulk_is_cancelled_with_one_command_and_nothing_else(here: Scheduler) -> None:
    mine = [await submitted(here, n, bulk="backfill") for n in range(300)]
    other = await submitted(here, 1_000, bulk="another")
    alone = await submitted(here, 1_001)

    first = await here.leader.bulks.cancel(CANCEL)
    again = await here.leader.bulks.cancel(CANCEL)

    assert (first, again) == (BulkCancelled(cancelled=300), BulkCancelled(cancelled=0))
    assert set(here.pool.tasks) == {other, alone}
    ends = [event for event in await here.history() if isinstance(event, TaskCancelled)]
    assert len(ends) == len(mine)
    assert {(end.by, end.reason) for end in ends} == {("cli:ada", "wrong")}


async def test_a_bulk_of_another_tenant_is_left_alone(here: Scheduler) -> None:
    task = await submitted(here, 1, bulk="backfill", tenant="globex")

    assert await here.leader.bulks.cancel(CANCEL) == BulkCancelled(cancelled=0)
    assert set(here.pool.tasks) == {task}


async def test_one_command_ends_a_bounded_number_and_says_what_is_left(here: Scheduler) -> None:
    bulks = Bulks(
        here.pool, Settling(here.log), here.dispatch, here.clock, per_commit=10, per_command=20
    )
    for number in range(25):
        await submitted(here, number, bulk="backfill")

    answers = [await bulks.cancel(CANCEL) for _ in range(3)]

    assert answers == [
        BulkCancelled(cancelled=20, left=5),
        BulkCancelled(cancelled=5),
        BulkCancelled(cancelled=0),
    ]


async def test_two_at_once_end_each_task_once(here: Scheduler) -> None:
    for number in range(300):
        await submitted(here, number, bulk="backfill")

    answers = await asyncio.gather(*(here.leader.bulks.cancel(CANCEL) for _ in range(2)))

    assert here.pool.tasks == {}
    ends = [event for event in await here.history() if isinstance(event, TaskCancelled)]
    assert len(ends) == 300
    assert all(isinstance(answer, BulkCancelled) and not answer.left for answer in answers)


async def test_running_calls_of_a_bulk_are_stopped() -> None:
    async with leading(World(), slots=1) as here:
        running = await submitted(here, 1, bulk="backfill")
        await submitted(here, 2, bulk="backfill")
        await wait_until(lambda: len(here.orders.grants) == 1)

        await here.leader.bulks.cancel(CANCEL)
        await wait_until(lambda: bool(here.orders.cancels))

        assert [lease.task for lease in here.orders.cancels] == [running]


async def test_what_nobody_remembers_is_looked_up_in_the_log(here: Scheduler) -> None:
    completed, ended, unknown = uuid4(), uuid4(), uuid4()
    lives = [accepted_event(), cancelled_event()]
    await record(here.store, stream_of(ended, lives))
    await record(here.store, stream_of(completed, [accepted_event()]))
    here.pool.dependencies.latest.clear()

    found = await PastTasks(here.store).find([completed, ended, unknown])

    assert found == {
        ended: PastTask("acme", TaskState.CANCELLED),
        completed: PastTask("acme", TaskState.QUEUED),
    }


async def test_dependencies_that_ended_long_ago_count_as_they_ended() -> None:
    async with leading(World()) as here:
        done = await submitted(here, 1)
        await wait_until(lambda: len(here.orders.grants) == 1)
        await here.leader.report(report(done, 1, COMPLETED))
        given_up = await submitted(here, 2)
        await here.leader.cancel(CancelTask(command_id="c", task=given_up, by="ada"))
        here.pool.dependencies.latest.clear()

        after_it = await submitted(here, 3, depends_on=(done,))

        assert await refused(here, depends_on=(given_up,)) == "dependency_failed"
        assert await refused(here, depends_on=(uuid4(),)) == "unknown_dependency"
        assert await refused(here, depends_on=(done,), tenant="globex") == "unknown_dependency"
        assert here.pool.tasks[after_it].awaits == frozenset()


async def test_a_repetition_is_answered_as_before_whatever_became_of_the_dependency(
    here: Scheduler,
) -> None:
    first = await submitted(here, 1)
    task = msgspec.structs.replace(submission(command_id="order-2"), depends_on=(first,))
    accepted = await here.submissions.submit(task, door="command")
    await here.leader.cancel(CancelTask(command_id="c", task=first, by="ada"))

    again = await here.submissions.submit(task, door="command")

    assert isinstance(accepted, Accepted)
    assert isinstance(again, Duplicate)
    assert again.task == accepted.task


async def test_a_chain_runs_in_its_order_and_fails_from_where_it_breaks() -> None:
    async with leading(World(), slots=3) as here:
        first = await submitted(here, 1)
        second = await submitted(here, 2, depends_on=(first,))
        third = await submitted(here, 3, depends_on=(second,))
        fourth = await submitted(here, 4, depends_on=(third,))

        for task in (first, second):
            await wait_until(lambda task=task: task in {g.task for g in here.orders.grants})
            await here.leader.report(report(task, 1, COMPLETED))
        await wait_until(lambda: third in {grant.task for grant in here.orders.grants})
        await here.leader.cancel(CancelTask(command_id="c", task=third, by="ada"))
        await wait_until(lambda: not here.pool.tasks)

        assert [grant.task for grant in here.orders.grants] == [first, second, third]
        (failed,) = [event for event in await here.history() if isinstance(event, TaskFailed)]
        assert (failed.code, str(third) in failed.message) == ("dependency_failed", True)
        assert fourth not in here.pool.tasks


async def test_a_task_that_slept_runs_when_its_time_has_come() -> None:
    async with leading(World()) as here:
        task = await submitted(here, 1, not_before=here.clock.now + 0.2)
        (event,) = [e for e in await here.history() if isinstance(e, TaskAccepted)]
        assert (event.not_before, here.orders.grants) == (here.clock.now + 0.2, [])

        here.clock.passes(0.25)
        here.leader.wake()

        await wait_until(lambda: [grant.task for grant in here.orders.grants] == [task])


async def test_a_time_that_the_sender_counts_from_now_makes_no_other_request(
    here: Scheduler,
) -> None:
    early, late = (
        msgspec.structs.replace(submission(), not_before=here.clock.now + after)
        for after in (60, 61)
    )

    await here.submissions.submit(early, door="command")
    again = await here.submissions.submit(late, door="command")

    assert isinstance(again, Duplicate)
