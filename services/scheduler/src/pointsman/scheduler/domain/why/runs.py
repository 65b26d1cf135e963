"""Which attempts ran while a task waited, as far as the events of that time tell."""

from collections.abc import Iterable, Sequence
from math import inf
from typing import NamedTuple
from uuid import UUID


class RunEvent(NamedTuple):
    """A grant or the end of an attempt, with as much of it as is known."""

    task: UUID
    at: float
    tenant: str
    variant: str
    """Empty: an end that does not name it."""
    begins: bool
    ran: bool
    """Whether an attempt ran on a device until then, wherever it began."""


class Run(NamedTuple):
    """From when until when an attempt of a task ran."""

    since: float
    """Minus infinity: before the first of the events."""
    until: float
    """Infinity: beyond the last of them."""
    tenant: str
    variant: str


def runs_of(seen: Iterable[RunEvent]) -> tuple[Run, ...]:
    """The runs that such events tell of, which come in log order.

    Those that began before and ended after them are not told of: what is counted is the least.
    """
    open_: dict[UUID, RunEvent] = {}
    over: list[Run] = []
    for event in seen:
        begun = open_.pop(event.task, None)
        if begun is not None:
            over.append(Run(begun.at, event.at, begun.tenant, begun.variant))
        elif event.ran:
            over.append(Run(-inf, event.at, event.tenant, event.variant))
        if event.begins:
            open_[event.task] = event
    still = (Run(event.at, inf, event.tenant, event.variant) for event in open_.values())
    return (*over, *still)


def reached_at(runs: Sequence[Run], most: int, since: float, until: float) -> float | None:
    """When first so many of these ran at the same time; None: at no time that is known of."""
    begins = sorted({max(run.since, since) for run in runs if run.until > since})
    for at in begins:
        if at > until:
            return None
        if sum(run.since <= at < run.until for run in runs) >= most:
            return at
    return None
