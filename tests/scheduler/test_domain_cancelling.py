"""Cancelling: what ends at once, and which slots wait for their run."""

from uuid import UUID

from pointsman.contracts.commands import CancelTask
from pointsman.contracts.events import (
    Decision,
    SlotReleased,
    TaskCancelled,
)
from pointsman.contracts.leases import RunCancelled
from pointsman.scheduler.domain.attempts.ends import decide_cancel
from tests.support.one_slot import REFUSED, device, reported, running
from tests.support.scheduling import (
    COMPLETED,
    NOON,
    A,
    B,
    History,
    granted_events,
)


def cancelled(history: History, task: UUID) -> list[Decision]:
    command = CancelTask(command_id="c1", task=task, by="cli", reason="wrong text")
    decided = decide_cancel(history.pool, command, at=NOON + 5)
    if decided is None:
        return []
    assert history.record(decided)
    return list(decided.events)


def test_cancelling_a_waiting_task_ends_it() -> None:
    history = running()

    (event,) = cancelled(history, B)

    assert event == TaskCancelled(at=NOON + 5, applied_to=5, by="cli", reason="wrong text")
    assert history.pool.queued == 0
    assert B not in history.pool.tasks


def test_cancelling_a_task_that_waits_for_its_retry_ends_it_for_good() -> None:
    history = running()
    reported(history, 1, REFUSED, at=NOON + 2)

    cancelled(history, A)

    assert list(granted_events(history.round(NOON + 100))) == [B]


def test_a_cancelled_run_keeps_its_slot_until_it_is_reported() -> None:
    history = running()

    (event,) = cancelled(history, A)

    assert isinstance(event, TaskCancelled)
    assert event.attempt == 1
    assert list(device(history).suspect) == [(A, 1)]
    assert history.round(NOON + 6) == []

    (released,) = reported(history, 1, RunCancelled(), at=NOON + 6)

    assert isinstance(released, SlotReleased)
    assert (released.task, released.attempt, released.device) == (str(A), 1, "cpu-0")
    assert list(granted_events(history.round(NOON + 6))) == [B]


def test_a_cancelled_run_that_nobody_reports_frees_its_slot_at_its_run_deadline() -> None:
    history = running()
    lease = history.pool.tasks[A].lease
    assert lease is not None
    over_at = lease.granted_at + lease.run_timeout_s
    cancelled(history, A)

    assert history.pool.next_due(NOON) == over_at
    assert history.round(over_at - 1) == []
    (decided,) = history.round(over_at)

    (released,) = decided.events
    assert isinstance(released, SlotReleased)
    assert released.reason == "run_deadline_over"
    assert list(granted_events(history.round(over_at))) == [B]


def test_cancelling_again_or_after_the_end_changes_nothing() -> None:
    history = running()
    reported(history, 1, COMPLETED, at=NOON + 2)

    assert cancelled(history, A) == []
    assert len(cancelled(history, B)) == 1
    assert cancelled(history, B) == []
    assert cancelled(history, UUID(int=5)) == []
