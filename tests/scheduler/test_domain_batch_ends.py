"""How a call that tasks share ends: its slot, its time, and what follows for each of them."""

import pytest

from pointsman.contracts.commands import CancelTask
from pointsman.contracts.events import AttemptLost, DeviceResumed, SlotReleased, TaskCompleted
from pointsman.contracts.leases import RunCompleted, RunFailed, RunTimedOut
from pointsman.contracts.streams import stream_id
from pointsman.scheduler.domain.attachment import decide_absent
from pointsman.scheduler.domain.attempts.ends import decide_cancel
from pointsman.scheduler.domain.why.history import sentences
from tests.support.batching import device, sizes, task, tell, waiting
from tests.support.scheduling import (
    NOON,
    RESULT,
    History,
    accepted,
    attached,
    folded,
    given,
    granted_events,
    model,
    suspended,
)

BAD_INPUT = RunFailed(code="invalid_input", message="empty", retryable=True, shared=True)


def test_batches_that_are_no_faster_than_one_by_one_are_given_up() -> None:
    history = given(model("fast", service_s=1.0), attached(max_batch=4))
    for start in range(1, 12, 2):
        for number in (start, start + 1):
            history.append(task(number), accepted(at=NOON, key=NOON + number))
        grants = granted_events(history.round(NOON + start))
        for name in grants:
            told = RunCompleted(result=RESULT, run_s=2.0)
            tell(history, name.int, told, at=NOON + start)

    assert history.pool.models.added_times_of("fast").p50_s == 1.0
    assert sizes(granted_events(history.round(NOON + 99))) != {}
    assert all(size == 1 for size in sizes(granted_events(history.round(NOON + 99))).values())


def test_a_measured_batch_is_counted_once_and_not_as_the_time_of_one() -> None:
    history = waiting(4)
    history.round(NOON)

    for number in (1, 2, 3, 4):
        tell(history, number, RunCompleted(result=RESULT, run_s=0.0025))

    models = history.pool.models
    assert models.run_times_of("fast").runs == 0
    assert models.added_times_of("fast").window == (pytest.approx(0.0005),)


def test_the_slot_is_free_when_the_last_of_them_has_ended() -> None:
    history = waiting(4)
    history.round(NOON)
    taken: list[int] = []

    for number in (3, 1, 4, 2):
        taken.append(device(history).free_slots("fast"))
        tell(history, number, RunCompleted(result=RESULT, run_s=0.01))

    assert taken == [0, 0, 0, 0]
    assert device(history).free_slots("fast") == 1
    ends = [entry.event for entry in history.entries if isinstance(entry.event, TaskCompleted)]
    assert len(ends) == 4


def test_cancelling_one_does_not_end_the_others() -> None:
    history = waiting(3)
    history.round(NOON)
    command = CancelTask(command_id="c", task=task(1), by="somebody")
    decided = decide_cancel(history.pool, command, at=NOON + 1)
    assert decided is not None
    assert history.record(decided)

    for number in (2, 3):
        tell(history, number, RunCompleted(result=RESULT, run_s=0.01))

    assert device(history).free_slots("fast") == 0
    assert set(device(history).suspect) == {(task(1), 1)}
    free_at = next(iter(device(history).suspect.values())).free_at
    released = [item.events[0] for item in history.round(free_at)]
    assert [type(event) for event in released] == [SlotReleased]
    assert device(history).free_slots("fast") == 1


def test_a_call_that_failed_for_all_is_nobodys_failure_and_each_runs_alone_next() -> None:
    history = waiting(3)
    history.round(NOON)

    for number in (1, 2, 3):
        tell(history, number, BAD_INPUT)

    lost = [event for event in history.of(task(2)) if isinstance(event, AttemptLost)]
    assert [(event.reason, event.code) for event in lost] == [("batch_failed", "invalid_input")]
    assert device(history).occupied == 0
    grants = granted_events(history.round(NOON + 3))
    assert sizes(grants) == {task(1): 1}
    assert grants[task(1)].attempt == 2


def test_an_attempt_of_its_own_cannot_hide_behind_others() -> None:
    history = waiting(1)
    history.round(NOON)

    tell(history, 1, BAD_INPUT)

    assert history.pool.tasks[task(1)].lost == 0
    assert [type(event).__name__ for event in history.of(task(1))][-1] == "AttemptFailed"


def test_a_shared_call_that_took_too_long_counts_with_its_time() -> None:
    history = waiting(2)
    history.round(NOON)
    late = RunFailed(code="deadline_exceeded", message="late", retryable=True, shared=True)

    for number in (1, 2):
        tell(history, number, late, at=NOON + 300)

    assert history.pool.models.added_times_of("fast").window == (0.001,)
    assert history.pool.models.run_times_of("fast").runs == 0


def test_who_timed_out_in_company_is_tried_alone() -> None:
    history = waiting(2)
    history.round(NOON)
    for number in (1, 2):
        tell(history, number, RunTimedOut(run_s=300.0), at=NOON + 300)

    grants = granted_events(history.round(NOON + 400))

    assert sizes(grants) == {task(1): 1}


def test_all_are_lost_with_their_executor_and_their_slot_is_suspect_once() -> None:
    history = waiting(4, slots=2)
    history.round(NOON)

    for decided in decide_absent(history.pool, "executor-1", at=NOON + 10):
        assert history.record(decided)

    assert len(device(history).suspect) == 4
    assert device(history).occupied == 2
    assert folded(history.entries).devices == history.pool.devices


def test_the_end_of_a_shared_call_is_told_with_what_follows() -> None:
    history = waiting(2)
    history.round(NOON)
    tell(history, 1, BAD_INPUT)

    told = "\n".join(sentences(history.of(task(1))))

    assert "the call that it shared with others failed (invalid_input)" in told
    assert "back to its place in the queue; it shares no call any more." in told


OUT_OF_MEMORY = RunFailed(code="out_of_memory", message="none left", retryable=True, shared=True)


def out_of_memory() -> History:
    """A batch of four was too large; its tasks have completed since, each alone."""
    history = waiting(4)
    assert set(sizes(granted_events(history.round(NOON))).values()) == {4}
    for number in (1, 2, 3, 4):
        tell(history, number, OUT_OF_MEMORY)
    for number in (1, 2, 3, 4):
        assert sizes(granted_events(history.round(NOON + number))) == {task(number): 1}
        tell(history, number, RunCompleted(result=RESULT, run_s=0.001), attempt=2)
    for number in range(5, 13):
        history.append(task(number), accepted(key=NOON + number))
    return history


def test_after_a_batch_that_ran_out_of_memory_batches_are_half_as_large() -> None:
    history = out_of_memory()

    grants = granted_events(history.round(NOON + 10))

    assert sizes(grants) == {task(5): 2, task(6): 2}


def test_an_engine_that_begins_anew_gets_whole_batches_again() -> None:
    history = out_of_memory()
    resumed = DeviceResumed(at=NOON + 9, applied_to=0, device="cpu-0", quiescent=True)
    history.append(stream_id("device", "cpu-0"), suspended())
    history.append(stream_id("device", "cpu-0"), resumed)

    grants = granted_events(history.round(NOON + 10))

    assert set(sizes(grants).values()) == {4}
