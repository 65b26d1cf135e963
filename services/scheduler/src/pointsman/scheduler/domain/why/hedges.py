"""Second attempts beside slow ones, in sentences."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from pointsman.contracts.events import (
    AttemptDropped,
    AttemptEnd,
    Decision,
    TaskCompleted,
    TaskHedged,
)
from pointsman.scheduler.domain.why.words import clock, span


def first_of_two(before: Sequence[Decision], completed: TaskCompleted) -> list[str]:
    """Which of two attempts gave the result; nothing where only one ran."""
    hedge = next((event for event in reversed(before) if isinstance(event, TaskHedged)), None)
    dropped = any(isinstance(event, AttemptDropped) for event in before)
    if hedge is None or dropped or completed.attempt not in {hedge.attempt, hedge.beside}:
        return []
    other = hedge.beside if completed.attempt == hedge.attempt else hedge.attempt
    told = f"Attempt {completed.attempt} was first; attempt {other} was stopped"
    return [f"{told}, and its slot is free when its call has ended."]


def _hedged(event: TaskHedged) -> list[str]:
    chosen = event.explanation.chosen
    return [
        (
            f"{clock(event.at)}: attempt {event.beside} had taken {span(event.waited_s)}, which is "
            f"longer than 95 % of the runs of {event.variant} ({span(event.usual_s)}, of "
            f"{event.runs} measured), so attempt {event.attempt} was granted beside it on "
            f"{event.device}, in a slot that nobody waited for (suitability {chosen.score:.3f})."
        ),
        f"The pool had {event.allowance:.2f} hedges to give (policy {event.explanation.config}).",
    ]


def _dropped(event: AttemptDropped) -> list[str]:
    match event.end:
        case AttemptEnd.FAILED:
            how = f"failed on {event.device}: {event.message} ({event.code})"
        case AttemptEnd.TIMED_OUT if event.code:
            how = f"on {event.device} was given up after {span(event.run_s)} ({event.code})"
        case AttemptEnd.TIMED_OUT:
            how = f"gave no answer on {event.device} within {span(event.run_timeout_s)}"
        case AttemptEnd.LOST:
            how = f"on {event.device} was lost ({event.code})"
    return [
        f"{clock(event.at)}: attempt {event.attempt} {how}.",
        f"The task went on with attempt {event.goes_on}.",
    ]


# Each entry takes the event type that it stands under.
HEDGE_TELLERS: Final[Mapping[type[Decision], Callable[..., list[str]]]] = MappingProxyType(
    {TaskHedged: _hedged, AttemptDropped: _dropped}
)
