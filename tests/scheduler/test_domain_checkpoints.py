"""Checkpoints: only newer ones of the live attempt, and the next attempt goes on from them."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given as examples
from hypothesis import settings
from hypothesis import strategies as st

from pointsman.contracts.endurance import CHECKPOINT_EVERY_S, CheckpointReport
from pointsman.contracts.events import DeviceResumed, TaskCheckpointed
from pointsman.contracts.leases import Outcome, RunCancelled, RunFailed, RunTimedOut
from pointsman.contracts.message import BlobRef
from pointsman.contracts.streams import stream_id
from pointsman.scheduler.domain.attempts.checkpoints import decide_checkpoint
from pointsman.scheduler.domain.attempts.ends import decide_lost, decide_report
from pointsman.scheduler.domain.why.history import sentences
from tests.support.scheduling import (
    COMPLETED,
    NOON,
    A,
    History,
    accepted,
    attached,
    folded,
    given,
    model,
    report,
)

GONE = RunFailed(code="engine_unavailable", message="no answer", retryable=True, device_lost=True)
REFUSED = RunFailed(code="blobs_unavailable", message="the disk is full", retryable=True)


def blob(number: int) -> BlobRef:
    return BlobRef(digest=f"{number:064x}", size=64, media_type="application/octet-stream")


def told(
    sequence: int, *, attempt: int = 1, incarnation: str = "first", device: str = "cpu-0"
) -> CheckpointReport:
    return CheckpointReport(
        executor="executor-1",
        incarnation=incarnation,
        device=device,
        task=A,
        attempt=attempt,
        sequence=sequence,
        checkpoint=blob(100 * attempt + sequence),
        progress=sequence / 10,
    )


def running() -> History:
    history = given(model(), attached(), (A, accepted(max_attempts=3)))
    history.round(NOON + 1)
    return history


def take(history: History, checkpoint: CheckpointReport, *, at: float) -> bool:
    decided = decide_checkpoint(history.pool, checkpoint, at=at)
    return decided is not None and history.record(decided)


def end(history: History, outcome: Outcome, *, at: float, attempt: int = 1) -> None:
    decided = decide_report(history.pool, report(A, attempt, outcome), at=at, draw=0.0)
    assert decided is not None
    assert history.record(decided)


def begun(history: History, at: float) -> TaskCheckpointed | None:
    """Where the next attempt begins."""
    idle = DeviceResumed(at=at, applied_to=0, device="cpu-0", quiescent=True)
    history.append(stream_id("device", "cpu-0"), idle)
    history.round(at)
    lease = history.pool.tasks[A].lease
    assert lease is not None
    return lease.checkpoint


def test_a_first_attempt_begins_at_the_beginning() -> None:
    lease = running().pool.tasks[A].lease

    assert lease is not None
    assert lease.checkpoint is None


@pytest.mark.parametrize(
    "outcome",
    [
        *(REFUSED, RunTimedOut(run_s=9.0), RunTimedOut(run_s=9.0, code="heartbeat_missed")),
        *(GONE, RunCancelled()),
    ],
    ids=["failed", "timed out", "silent", "lost", "given up"],
)
def test_the_next_attempt_goes_on_from_the_last_checkpoint(outcome: Outcome) -> None:
    history = running()
    assert take(history, told(1), at=NOON + 2)
    assert take(history, told(4), at=NOON + 5)

    end(history, outcome, at=NOON + 10)
    checkpoint = begun(history, NOON + 20)

    assert checkpoint is not None
    assert (checkpoint.sequence, checkpoint.checkpoint) == (4, blob(104))


def test_an_attempt_whose_holder_is_gone_is_followed_by_one_that_goes_on() -> None:
    history = running()
    assert take(history, told(3), at=NOON + 2)
    lost = decide_lost(history.pool, A, "lease_expired", at=NOON + 20)
    assert lost is not None
    assert history.record(lost)

    checkpoint = begun(history, NOON + 21)

    assert checkpoint is not None
    assert checkpoint.sequence == 3


@pytest.mark.parametrize(
    "late",
    [
        pytest.param(told(9, attempt=2), id="another attempt"),
        pytest.param(told(9, incarnation="second"), id="another holder"),
        pytest.param(told(9, device="cpu-1"), id="another device"),
        pytest.param(told(4), id="the same one again"),
        pytest.param(told(3), id="an older one"),
    ],
)
def test_what_is_not_newer_or_of_somebody_else_is_refused(late: CheckpointReport) -> None:
    history = running()
    assert take(history, told(4), at=NOON + 5)

    assert not take(history, late, at=NOON + 50)


def test_at_most_one_a_second_is_recorded() -> None:
    history = running()
    assert take(history, told(1), at=NOON + 5)

    assert not take(history, told(2), at=NOON + 5.99)
    assert take(history, told(3), at=NOON + 6)


def test_a_task_that_has_ended_takes_none() -> None:
    history = running()
    end(history, COMPLETED, at=NOON + 5)

    assert not take(history, told(1), at=NOON + 6)


def test_a_checkpoint_means_nothing_to_another_variant() -> None:
    history = given(
        model("best", quality=0.9),
        model("fast", quality=0.5),
        attached(variants=("best",)),
        (A, accepted(variants=("best", "fast"))),
    )
    history.round(NOON + 1)
    assert take(history, told(1), at=NOON + 2)
    end(history, REFUSED, at=NOON + 3)
    history.append(stream_id("device", "cpu-0"), attached(variants=("fast",)))

    checkpoint = begun(history, NOON + 60)

    assert checkpoint is None
    assert any("begins anew" in line for line in sentences(history.of(A)))


def test_the_history_tells_the_last_checkpoint_and_who_went_on_from_it() -> None:
    history = running()
    assert take(history, told(1), at=NOON + 2)
    assert take(history, told(4), at=NOON + 5)
    end(history, REFUSED, at=NOON + 10)
    begun(history, NOON + 20)

    lines = sentences(history.of(A))

    assert [line for line in lines if "checkpoint" in line] == [
        "12:00:05.000: attempt 1 handed back checkpoint 4 at 40%, 64 bytes.",
        "It goes on from checkpoint 4 of attempt 1, 40% of the work.",
    ]


def test_a_run_that_went_on_says_nothing_about_how_long_a_whole_one_takes() -> None:
    history = running()
    assert take(history, told(4), at=NOON + 5)
    end(history, REFUSED, at=NOON + 10)
    begun(history, NOON + 20)

    end(history, COMPLETED, at=NOON + 21, attempt=2)

    assert history.pool.models.run_times_of("fast").runs == 0


@dataclass
class Reported:
    """What a naive reader remembers: everything that was recorded, in order."""

    recorded: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    at: float = 0.0


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("checkpoint"), st.integers(1, 5), st.integers(1, 12)),
        st.tuples(st.just("end"), st.integers(1, 5), st.integers(0, 3)),
        st.tuples(st.just("wait"), st.integers(0, 3), st.just(0)),
    ),
    max_size=60,
)


@settings(max_examples=60, deadline=None)
@examples(STEPS)
def test_no_attempt_ever_begins_before_what_was_recorded(
    steps: list[tuple[str, int, int]],
) -> None:
    history = given(model(), attached(), (A, accepted(max_attempts=1_000)))
    history.round(NOON + 1)
    naive, now = Reported(), NOON + 1
    outcomes: list[Outcome] = [REFUSED, RunTimedOut(run_s=1.0), RunCancelled(), REFUSED]

    for step, first, second in steps:
        lease = history.pool.tasks[A].lease
        assert lease is not None
        if step == "checkpoint":
            took = take(history, told(second, attempt=first), at=now)
            is_live = first == lease.attempt
            is_newer = (first, second) > max(naive.recorded, default=(0, 0))
            in_time = not naive.recorded or now - naive.at >= CHECKPOINT_EVERY_S
            assert took == (is_live and is_newer and in_time)
            if took:
                naive.recorded.append((first, second))
                naive.at = now
        elif step == "end":
            end(history, outcomes[second], at=now, attempt=lease.attempt)
            now += 40
            begin = begun(history, now)
            expected = max(naive.recorded, default=None)
            assert (begin and (begin.attempt, begin.sequence)) == expected
        else:
            now += first / 2


def test_the_stored_log_tells_the_same_standing() -> None:
    history = running()
    assert take(history, told(1), at=NOON + 2)
    end(history, REFUSED, at=NOON + 10)
    begun(history, NOON + 20)

    again = folded(history.entries).tasks[A]

    assert again == history.pool.tasks[A]
    assert again.checkpoint is not None
