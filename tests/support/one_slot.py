"""A pool with one slot that task A occupies and task B waits for."""

from pointsman.contracts.events import Decision
from pointsman.contracts.leases import Outcome, RunFailed
from pointsman.scheduler.domain.attempts.ends import decide_report
from pointsman.scheduler.domain.devices import Device
from tests.support.scheduling import NOON, A, B, History, accepted, attached, given, model, report

REFUSED = RunFailed(code="unavailable", message="connection refused", retryable=True)


def running(*, max_attempts: int = 3) -> History:
    """Task A runs on the one slot of `cpu-0`, task B waits behind it."""
    history = given(model(), attached(), (A, accepted(max_attempts=max_attempts)), (B, accepted()))
    history.round(NOON + 1)
    return history


def reported(history: History, attempt: int, outcome: Outcome, *, at: float) -> list[Decision]:
    decided = decide_report(history.pool, report(A, attempt, outcome), at=at, draw=0.5)
    if decided is None:
        return []
    assert history.record(decided)
    return list(decided.events)


def device(history: History) -> Device:
    return history.pool.devices["cpu-0"]
