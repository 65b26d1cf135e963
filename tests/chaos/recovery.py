"""How long it took after each fault until work went on."""

import asyncio
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Final

from pointsman.testing.history import Sent
from tests.chaos.followed import MessageKey

NOT_RECOVERED_S: Final = 60.0


@dataclass(slots=True)
class Outage:
    """One fault that was done; times are seconds, `None` for what never came.

    `at` is the wall-clock time from which recovery counts, infinite until it has been done.
    """

    number: int
    name: str
    kills: int
    pids: dict[str, int]
    at: float = math.inf
    answered_s: float | None = None
    """Until everything that was killed answered again."""
    completed_s: float | None = None
    """Until a task was completed that was sent after the fault."""


class Recoveries:
    """Measures every outage; `on_completed` is to hear of every completion of a task."""

    def __init__(self, sent: Mapping[MessageKey, Sent]) -> None:
        self.outages: list[Outage] = []
        self._sent = sent
        self._waiting: list[tuple[Outage, asyncio.Event]] = []

    def begin(self, outage: Outage) -> "asyncio.Event":
        """Count from now on; the event is set at the first completion of a later task."""
        self.outages.append(outage)
        done = asyncio.Event()
        self._waiting.append((outage, done))
        return done

    def on_completed(self, key: MessageKey, at: float) -> None:
        sent = self._sent.get(key)
        if sent is None:
            return
        for outage, done in list(self._waiting):
            if sent.sent_at > outage.at:
                outage.completed_s = at - outage.at
                done.set()
                self._waiting.remove((outage, done))

    def not_recovered(self) -> list[Outage]:
        """Those that did not answer or complete anything in time."""
        return [
            outage
            for outage in self.outages
            if outage.completed_s is None or outage.answered_s is None
        ]


@dataclass(frozen=True, slots=True)
class RecoveryFigures:
    """Of one kind of fault, in seconds."""

    number: int
    kills: int
    completed_p50_s: float
    completed_p99_s: float
    completed_max_s: float
    answered_p50_s: float
    answered_max_s: float


@dataclass(slots=True)
class _Times:
    kills: int = 0
    completed: list[float] = field(default_factory=list[float])
    answered: list[float] = field(default_factory=list[float])


def figures(outages: Sequence[Outage]) -> dict[str, RecoveryFigures]:
    """By kind of fault, and over all; what never came counts as `NOT_RECOVERED_S`."""
    times: defaultdict[str, _Times] = defaultdict(_Times)
    for outage in outages:
        for name in (outage.name, "all"):
            times[name].kills += outage.kills
            times[name].completed.append(_or_never(outage.completed_s))
            times[name].answered.append(_or_never(outage.answered_s))
    return {
        name: RecoveryFigures(
            number=len(of.completed),
            kills=of.kills,
            completed_p50_s=round(median(of.completed), 2),
            completed_p99_s=round(quantile(of.completed, 0.99), 2),
            completed_max_s=round(max(of.completed), 2),
            answered_p50_s=round(median(of.answered), 2),
            answered_max_s=round(max(of.answered), 2),
        )
        for name, of in sorted(times.items())
    }


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of the values does not exceed."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def _or_never(seconds: float | None) -> float:
    return NOT_RECOVERED_S if seconds is None else seconds
