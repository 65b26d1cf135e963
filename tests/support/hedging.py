"""Pools that hedge, and what they know by then of how long runs take."""

from collections.abc import Iterable, Iterator
from typing import Final
from uuid import UUID

from pointsman.contracts.decided import Decided
from pointsman.contracts.events import (
    Decision,
    PolicySet,
    TaskAccepted,
    TaskCancelled,
    TaskGranted,
    TaskHedged,
)
from pointsman.contracts.leases import AttemptReport, Outcome, RunCompleted
from pointsman.contracts.streams import stream_id
from pointsman.policy.parameters import MOST_HEDGED, Parameters, config_of
from pointsman.scheduler.domain.attempts.ends import decide_report
from tests.support.scheduling import (
    COMPLETED,
    NOON,
    RESULT,
    A,
    History,
    accepted,
    attached,
    given,
    model,
    report,
)

USUAL_S: Final = 0.25
RUNS: Final = 64
"""As many as the tail of run times is taken from."""

LATE: Final = NOON + 1.0
"""When a task that runs since noon has taken long."""

_FIRST: Final = 0x1000

Attempt = TaskGranted | TaskHedged
"""What gave an attempt its lease."""


def told_by(grant: Attempt, task: UUID, outcome: Outcome) -> AttemptReport:
    return report(
        task,
        grant.attempt,
        outcome,
        device=grant.device,
        executor=grant.executor,
        incarnation=grant.incarnation,
    )


def policy_set(parameters: Parameters, *, at: float = NOON) -> PolicySet:
    return PolicySet(
        at=at,
        applied_to=0,
        pool="main",
        figures=parameters.figures(),
        config=config_of(parameters),
        source="/etc/policy.toml",
        holder="here",
    )


OF_POLICY: Final = stream_id("policy", "main")
"""The stream that it is recorded in."""

HEDGES: Final = policy_set(Parameters(hedge_share=MOST_HEDGED))


def experienced(*devices: Decision, hedges: PolicySet | None = HEDGES, tasks: int = 100) -> History:
    """A pool that has run 64 of so many tasks, each in `USUAL_S`, and waits for nothing."""
    known = devices or (attached("cpu-0"), attached("cpu-1"))
    first = () if hedges is None else ((OF_POLICY, hedges),)
    history = given(*first, model(), *known)
    learn(history, tasks)
    return history


def learn(history: History, tasks: int, variant: str = "fast") -> None:
    """Let tasks run one by one before noon, so that what is usual is known."""
    for number, task in enumerate(_names(tasks)):
        at = NOON - 1_000 + number
        history.append(task, accepted(at=at, variants=(variant,)))
        if number < RUNS:
            history.round(at)
            lease = history.pool.tasks[task].lease
            assert lease is not None
            told = report(
                task,
                lease.attempt,
                RunCompleted(result=RESULT, run_s=USUAL_S),
                device=lease.device,
                incarnation=lease.incarnation,
            )
            ended = decide_report(history.pool, told, at=at + USUAL_S, draw=0.5)
            assert ended is not None
            history.record(ended)
        else:
            cancelled = TaskCancelled(at=at, applied_to=0, by="somebody", reason="")
            history.append(task, cancelled)


def slow(history: History, task: UUID = A, *, max_attempts: int = 3) -> History:
    """A task runs since noon."""
    history.append(task, accepted(max_attempts=max_attempts))
    history.round(NOON)
    return history


def hedged(history: History | None = None, *, max_attempts: int = 3) -> History:
    """A task has two attempts since a second after noon."""
    known = slow(history or experienced(), max_attempts=max_attempts)
    assert list(hedged_events(known.round(LATE))) == [A]
    return known


def hedge_of(history: History) -> TaskHedged:
    (event,) = [event for event in history.of(A) if isinstance(event, TaskHedged)]
    return event


def ends(history: History, attempt: int, outcome: Outcome = COMPLETED) -> tuple[Decision, ...]:
    """The holder of an attempt reports; what followed."""
    granted = (event for event in history.of(A) if isinstance(event, TaskGranted | TaskHedged))
    device = next(event.device for event in granted if event.attempt == attempt)
    decided = decide_report(
        history.pool, report(A, attempt, outcome, device=device), at=LATE + 1, draw=0.5
    )
    assert decided is not None
    assert history.record(decided)
    return decided.events


def slots(history: History) -> dict[str, tuple[int, int]]:
    """Held and suspect slots of each device."""
    devices = history.pool.devices.values()
    return {device.name: (len(device.held), len(device.suspect)) for device in devices}


def hedged_events(decided: Iterable[Decided]) -> dict[UUID, TaskHedged]:
    """The hedges among decisions, by task."""
    return {
        item.stream: event
        for item in decided
        for event in item.events
        if isinstance(event, TaskHedged)
    }


def check_hedge(task: UUID, hedge: TaskHedged, history: History) -> None:
    """What must hold of every hedge."""
    events = [entry.event for entry in history.entries]
    accepts = sum(isinstance(event, TaskAccepted) for event in events)
    hedges = sum(isinstance(event, TaskHedged) for event in events)
    before = [event for event in history.of(task) if isinstance(event, TaskGranted)][-1]
    assert hedges <= history.pool.policy.parameters.hedge_share * accepts + 1e-6
    assert (hedge.beside, hedge.variant) == (before.attempt, before.variant)
    assert before.batch is None
    assert hedge.at - before.at >= hedge.usual_s


def _names(count: int) -> Iterator[UUID]:
    return (UUID(int=_FIRST + number) for number in range(count))
