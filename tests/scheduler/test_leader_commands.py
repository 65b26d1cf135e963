"""Commands to the leader: idempotent, answered after the commit, in step with executors."""

import asyncio
from collections.abc import AsyncGenerator
from uuid import UUID

import pytest

from pointsman.contracts.commands import Accepted, CancelTask, Done
from pointsman.contracts.endurance import CheckpointReport
from pointsman.contracts.events import (
    AttemptLost,
    SlotReleased,
    TaskCancelled,
)
from pointsman.contracts.leases import LEASE_TTL_S, Lease, Renewal, RunCancelled, RunFailed
from pointsman.contracts.task_states import IllegalTransitionError
from pointsman.contracts.topics import EventCodec
from pointsman.eventstore.ports import Append, LogUnavailableError, NewEvent
from pointsman.scheduler.domain.devices import DeviceStatus
from pointsman.testing.waiting import wait_until
from tests.support.device_health import health
from tests.support.leading import Scheduler, World, leading, scheduler
from tests.support.scheduling import NOON, RESULT, A, attach, offer, report, submission


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
async def here(world: World) -> AsyncGenerator[Scheduler]:
    async with leading(world) as running:
        yield running


async def granted(here: Scheduler) -> UUID:
    """A task that an executor runs."""
    answer = await here.submissions.submit(submission(), door="command")
    assert isinstance(answer, Accepted)
    await wait_until(lambda: bool(here.orders.grants))
    return answer.task


def cancel(task: UUID) -> CancelTask:
    return CancelTask(command_id="c1", task=task, by="cli", reason="wrong text")


def renewal(*leases: Lease, incarnation: str = "first") -> Renewal:
    return Renewal(pool="main", executor="executor-1", incarnation=incarnation, leases=leases)


async def test_a_cancelled_run_is_stopped_at_its_holder(here: Scheduler) -> None:
    task = await granted(here)

    answer = await here.leader.cancel(cancel(task))
    await wait_until(lambda: bool(here.orders.cancels))

    assert answer == Done(detail="cancelled")
    assert here.orders.cancels == [Lease(task=task, attempt=1)]
    assert list(here.pool.devices["cpu-0"].suspect) == [(task, 1)]

    stopped = await here.leader.report(report(task, 1, RunCancelled()))
    assert stopped.status == "recorded"
    assert here.pool.devices["cpu-0"].occupied == 0


async def test_cancelling_again_changes_nothing(here: Scheduler) -> None:
    task = await granted(here)

    first, *again = await asyncio.gather(*(here.leader.cancel(cancel(task)) for _ in range(5)))

    assert first == Done(detail="cancelled")
    assert {type(answer) for answer in again} == {Done}
    events = [event for event in await here.history() if isinstance(event, TaskCancelled)]
    assert len(events) == 1


async def test_a_waiting_task_is_cancelled_without_a_word_to_executors(here: Scheduler) -> None:
    await granted(here)
    answer = await here.submissions.submit(submission(command_id="order-2"), door="command")
    assert isinstance(answer, Accepted)

    assert await here.leader.cancel(cancel(answer.task)) == Done(detail="cancelled")

    assert here.orders.cancels == []
    assert here.pool.queued == 0


async def test_a_cancellation_that_cannot_be_recorded_is_not_confirmed(here: Scheduler) -> None:
    task = await granted(here)
    here.store.failure = "disk full"

    with pytest.raises(LogUnavailableError):
        await here.leader.cancel(cancel(task))

    assert here.orders.cancels == []
    here.store.failure = None
    assert await here.leader.cancel(cancel(task)) == Done(detail="cancelled")


async def test_a_report_is_settled_when_it_comes_again(here: Scheduler) -> None:
    task = await granted(here)

    first = await here.leader.report(report(task, 1))
    again = await here.leader.report(report(task, 1))

    assert (first.status, again.status) == ("recorded", "settled")
    assert (again.task, again.attempt) == (task, 1)


async def test_a_report_that_cannot_be_recorded_is_to_be_repeated(here: Scheduler) -> None:
    task = await granted(here)
    here.store.failure = "disk full"

    assert (await here.leader.report(report(task, 1))).status == "unavailable"
    assert task in here.pool.tasks

    here.store.failure = None
    assert (await here.leader.report(report(task, 1))).status == "recorded"


async def test_reports_at_the_same_time_are_recorded_once(here: Scheduler) -> None:
    task = await granted(here)

    answers = await asyncio.gather(*(here.leader.report(report(task, 1)) for _ in range(5)))

    assert sorted(answer.status for answer in answers) == ["recorded"] + ["settled"] * 4


async def test_two_late_reports_free_a_slot_once(here: Scheduler) -> None:
    task = await granted(here)
    await here.leader.cancel(cancel(task))

    await asyncio.gather(*(here.leader.report(report(task, 1)) for _ in range(3)))

    released = [event for event in await here.history() if isinstance(event, SlotReleased)]
    assert len(released) == 1


async def test_attaching_again_is_answered_and_changes_nothing(here: Scheduler) -> None:
    position = here.pool.applied_to

    answers = await asyncio.gather(*(here.leader.attach(attach(offer())) for _ in range(3)))

    assert answers == [Done(detail="attached already")] * 3
    assert here.pool.applied_to == position


async def test_executors_that_attach_at_the_same_time_all_succeed(world: World) -> None:
    here = await scheduler(world)

    await asyncio.gather(
        *(
            here.leader.attach(
                attach(offer("cpu-0"), offer("cpu-1"), incarnation=f"incarnation-{n}")
            )
            for n in range(5)
        )
    )

    assert {device.offer.incarnation for device in here.pool.devices.values()} == {"incarnation-4"}


async def test_a_device_that_does_not_serve_gets_nothing_until_it_serves(here: Scheduler) -> None:
    suspended = await here.leader.health(health(healthy=False))
    again = await here.leader.health(health(healthy=False))
    await here.submissions.submit(submission(), door="command")
    assert here.pool.devices["cpu-0"].status is DeviceStatus.SUSPENDED
    assert here.orders.grants == []

    await here.leader.health(health(healthy=True))
    await wait_until(lambda: bool(here.orders.grants))

    assert (suspended, again) == (Done(detail="recorded"), Done(detail="nothing changed"))


async def test_a_lease_that_did_not_arrive_is_sent_again_after_a_renewal(here: Scheduler) -> None:
    task = await granted(here)
    here.clock.passes(2)

    await here.leader.renewed(renewal())
    await wait_until(lambda: len(here.orders.grants) == 2)

    assert {(grant.task, grant.attempt) for grant in here.orders.grants} == {(task, 1)}


async def test_a_lease_that_its_holder_never_lists_is_lost_after_a_leases_life(
    here: Scheduler,
) -> None:
    task = await granted(here)
    here.clock.passes(LEASE_TTL_S + 1)

    await here.leader.renewed(renewal())

    await wait_until(lambda: here.pool.tasks[task].lost == 1)


async def test_a_lease_that_is_listed_or_very_new_is_not_sent_again(here: Scheduler) -> None:
    task = await granted(here)
    await here.leader.renewed(renewal())
    here.clock.passes(2)
    await here.leader.renewed(renewal(Lease(task=task, attempt=1)))
    await here.leader.renewed(renewal(incarnation="zeroth"))

    # A cancellation is sent after whatever was to be sent before it.
    await here.leader.cancel(cancel(task))
    await wait_until(lambda: bool(here.orders.cancels))

    assert len(here.orders.grants) == 1


async def test_a_holder_of_what_has_ended_is_told_to_stop(here: Scheduler) -> None:
    stale = Lease(task=A, attempt=3)

    await here.leader.renewed(renewal(stale))
    await wait_until(lambda: bool(here.orders.cancels))

    assert here.orders.cancels == [stale]


async def test_a_leader_whose_memory_parted_from_its_log_says_so(world: World) -> None:
    here = await scheduler(world)
    answer = await here.submissions.submit(submission(), door="command")
    assert isinstance(answer, Accepted)
    codec = EventCodec()
    # No attempt was granted: a writer with a defect.
    impossible = AttemptLost(at=NOON, applied_to=0, attempt=1, device="cpu-0", reason="none")

    event = NewEvent(
        id=A,
        stream=answer.task,
        version=2,
        topic=codec.topic(impossible),
        state=codec.encode(impossible),
        event=impossible,
    )
    await world.store.append(Append([event]))

    assert [type(error) for error in here.broken] == [IllegalTransitionError]


def standing(task: UUID, sequence: int) -> CheckpointReport:
    return CheckpointReport(
        executor="executor-1",
        incarnation="first",
        device="cpu-0",
        task=task,
        attempt=1,
        sequence=sequence,
        checkpoint=RESULT,
        progress=0.5,
    )


async def test_a_checkpoint_is_recorded_once_and_the_next_attempt_is_granted_with_it(
    here: Scheduler,
) -> None:
    task = await granted(here)
    stopped = RunFailed(code="blobs_unavailable", message="the disk is full", retryable=True)

    first = await here.leader.checkpoint(standing(task, 1))
    again = await here.leader.checkpoint(standing(task, 1))
    await here.leader.report(report(task, 1, stopped))
    here.clock.passes(60)
    await wait_until(lambda: here.orders.grants[-1].attempt == 2)

    assert (first.status, again.status) == ("recorded", "settled")
    assert here.orders.grants[-1].checkpoint == RESULT


async def test_a_checkpoint_that_cannot_be_recorded_is_to_be_repeated(here: Scheduler) -> None:
    task = await granted(here)
    here.store.failure = "disk full"

    assert (await here.leader.checkpoint(standing(task, 1))).status == "unavailable"

    here.store.failure = None
    assert (await here.leader.checkpoint(standing(task, 1))).status == "recorded"
