"""Hedges, and what the policy was set to, are decided again from the log alone."""

from collections.abc import Sequence

import msgspec

from pointsman.contracts.events import AttemptDropped, PolicySet, TaskAccepted, TaskHedged
from pointsman.contracts.leases import Outcome, RunFailed, RunTimedOut
from pointsman.policy.parameters import DEFAULTS, Parameters
from pointsman.scheduler.domain.admission.submitting import decide_submit
from pointsman.scheduler.domain.attachment import decide_absent
from pointsman.scheduler.domain.attempts.ends import decide_report
from pointsman.time_machine.replay.verification import Verification
from tests.support.hedging import experienced, hedged_events
from tests.support.log_rows import changed, rows_of
from tests.support.scheduling import (
    COMPLETED,
    NOON,
    PAYLOAD,
    A,
    B,
    C,
    Entry,
    History,
    report,
    submission,
)

REFUSED = RunFailed(code="unavailable", message="connection refused", retryable=True)
HEARTBEAT = RunTimedOut(run_s=5.0, code="heartbeat_missed")


def set_policy(history: History, parameters: Parameters, at: float) -> None:
    """The leader records another policy."""
    policy = history.pool.policy
    event = policy.decide(
        parameters, "policy.toml", "here", at=at, applied_to=history.pool.applied_to
    )
    assert event is not None
    assert history.record(policy.decided(event, history.pool.version_of(policy.stream)))


def ends(history: History, attempt: int, outcome: Outcome, at: float) -> None:
    """An attempt of the only open task is reported."""
    (task,) = history.pool.tasks.values()
    lease = task.lease_of(attempt)
    assert lease is not None
    told = report(task.id, attempt, outcome, device=lease.device)
    decided = decide_report(history.pool, told, at=at, draw=0.5)
    assert decided is not None
    assert history.record(decided)


def lived() -> tuple[History, int]:
    """Three hedged tasks with different ends under two policies, and where they begin."""
    history = experienced(tasks=200)
    start = history.pool.applied_to + 1
    history.append(B, *submitted(history, "order-1", NOON))
    hedged(history, NOON)
    ends(history, 1, REFUSED, NOON + 2)
    ends(history, 2, COMPLETED, NOON + 3)
    set_policy(history, Parameters(hedge_share=0.01, swap_share=0.1), NOON + 4)
    history.append(A, *submitted(history, "order-2", NOON + 5))
    hedged(history, NOON + 5)
    ends(history, 2, HEARTBEAT, NOON + 7)
    ends(history, 1, COMPLETED, NOON + 8)
    history.append(C, *submitted(history, "order-3", NOON + 9))
    hedged(history, NOON + 9)
    for decided in decide_absent(history.pool, "executor-1", at=NOON + 11):
        assert history.record(decided)
    set_policy(history, DEFAULTS, NOON + 12)
    return history, start


def submitted(history: History, command_id: str, at: float) -> tuple[TaskAccepted]:
    asked = msgspec.structs.replace(submission(), command_id=command_id)
    decided = decide_submit(history.pool, asked, PAYLOAD, at=at)
    assert isinstance(decided, TaskAccepted)
    return (decided,)


def hedged(history: History, at: float) -> None:
    """What waits is granted, and a second later hedged."""
    history.round(at)
    assert list(hedged_events(history.round(at + 1)))


def verified(entries: Sequence[Entry], first: int) -> Verification:
    verification = Verification("main", first=first)
    verification.take(rows_of(entries))
    verification.end()
    return verification


def test_every_hedge_and_every_end_of_one_is_decided_again() -> None:
    history, start = lived()

    again = verified(history.entries, start)

    assert again.differences == []
    assert again.decisions == again.verified == len(history.entries) - start + 1
    assert again.unrecorded == 0
    kinds = [type(entry.event) for entry in history.entries]
    assert (kinds.count(TaskHedged), kinds.count(AttemptDropped)) == (3, 3)


def test_a_changed_hedge_is_found() -> None:
    history, start = lived()
    hedges = [entry for entry in history.entries if isinstance(entry.event, TaskHedged)]

    found = verified(changed(history.entries, hedges[1].position, allowance=17.0), start)

    assert [(each.position, each.field) for each in found.differences] == [
        (hedges[1].position, "allowance")
    ]


def test_decisions_under_another_policy_than_the_recorded_one_are_found() -> None:
    history, start = lived()
    second = [entry for entry in history.entries if isinstance(entry.event, PolicySet)][1]
    event = second.event
    assert isinstance(event, PolicySet)
    figures = {**event.figures, "windows.standard.due_s": 7.0}

    found = verified(changed(history.entries, second.position, figures=figures), start)

    assert {each.field.partition(".")[0] for each in found.differences} >= {"key", "explanation"}
