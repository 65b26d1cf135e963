"""What is told of tasks that run in parts."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from pointsman.contracts.events import (
    Decision,
    PartsGranted,
    SplitPlanned,
    TaskAccepted,
    TaskCompleted,
    TaskSplit,
)
from pointsman.contracts.parts import Merge, PartsWork
from pointsman.scheduler.domain.why.words import clock, named, span

_RULES: Final[Mapping[Merge, str]] = MappingProxyType(
    {
        Merge.JOIN: "they are joined in order",
        Merge.MEAN: "they are averaged, weighted by the bytes of the parts",
        Merge.VOTE: "they vote, weighted by the bytes of the parts",
    }
)
_SHOWN: Final = 3


def in_parts(event: TaskAccepted) -> list[str]:
    """What an acceptance says about parts, if anything."""
    if event.parent:
        return [f"It is part {event.part} of task {event.parent}, whose place in the queue it has."]
    plan = event.split
    if plan is None:
        return []
    missing = "some may be missing" if plan.partial else "none may be missing"
    return [
        f"Its input is cut into parts of at most {plan.max_bytes} bytes, because {plan.reason}.",
        f"When their results are there, {_RULES[plan.merge]}; {missing}.",
    ]


def merged(event: TaskCompleted, waited_s: float) -> list[str]:
    """The completion of a task that ran in parts; nothing for any other."""
    parts = event.parts
    if parts is None:
        return []
    told = [
        (
            f"{clock(event.at)}: completed from {len(parts.done)} part(s): waited "
            f"{span(waited_s)}, took {span(event.run_s)} from the cut to the merged result, "
            f"{event.result.size} bytes."
        )
    ]
    if parts.failed:
        failed = named([f"{each.part} ({each.code})" for each in parts.failed])
        told.append(f"Without result stayed part {failed}; the result says so.")
    return told


def _planned(event: SplitPlanned) -> list[str]:
    plan = event.plan
    return [
        (
            f"{clock(event.at)}: {plan.reason} ({event.code}), so that it is cut into parts of at "
            f"most {plan.max_bytes} bytes; {_RULES[plan.merge]}."
        )
    ]


def _granted(event: PartsGranted) -> list[str]:
    what = "cut its input" if event.work is PartsWork.SPLIT else "merge the results of its parts"
    return [
        (
            f"{clock(event.at)}: attempt {event.attempt}: {event.executor} is to {what}; that "
            "takes no device."
        )
    ]


def _split(event: TaskSplit) -> list[str]:
    sizes = ", ".join(str(part.size) for part in event.parts[:_SHOWN])
    more = ", ..." if event.parts[_SHOWN:] else ""
    return [
        (
            f"{clock(event.at)}: cut into {len(event.parts)} part(s) of {sizes}{more} bytes; each "
            "is a task of its own."
        )
    ]


# Each entry takes the event type that it stands under.
PARTS_TELLERS: Final[Mapping[type[Decision], Callable[..., list[str]]]] = MappingProxyType(
    {SplitPlanned: _planned, PartsGranted: _granted, TaskSplit: _split}
)
