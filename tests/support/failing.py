"""A pool whose tasks have payloads of their own and end as a test tells them."""

from collections.abc import Iterable
from uuid import UUID

import msgspec

from pointsman.contracts.events import Decision, TaskAccepted
from pointsman.contracts.leases import Outcome, RunFailed
from pointsman.scheduler.domain.attempts.ends import decide_report
from tests.support.scheduling import NOON, History, accepted, granted_events, report

MODEL_ERROR = RunFailed(code="model_error", message="it raised", retryable=False)


def task(number: int) -> UUID:
    return UUID(int=number)


def own(number: int, **changes: object) -> TaskAccepted:
    """A task with a payload of its own."""
    plain = accepted(key=NOON + number)
    payload = msgspec.structs.replace(plain.payload, digest=f"{number:064x}")
    return msgspec.structs.replace(plain, payload=payload, **changes)


def more(history: History, numbers: Iterable[int], **changes: object) -> None:
    for number in numbers:
        history.append(task(number), own(number, **changes))


def end(
    history: History, number: int, outcome: Outcome, *, at: float, attempt: int = 1
) -> list[Decision]:
    """Report the end of a task's attempt from whatever device runs it."""
    lease = history.pool.tasks[task(number)].lease
    assert lease is not None
    told = report(task(number), attempt, outcome, device=lease.device)
    decided = decide_report(history.pool, told, at=at, draw=0.5)
    assert decided is not None
    assert history.record(decided)
    return list(decided.events)


def fail(history: History, numbers: Iterable[int], *, at: float, outcome: Outcome) -> None:
    """Tasks are granted and fail, one after the other."""
    for number in numbers:
        more(history, (number,))
        assert task(number) in granted_events(history.round(at))
        end(history, number, outcome, at=at)
