"""The table of attempts that this executor holds or has finished. No I/O, no clock.

    (unknown) -- grant --> running -- outcome --> reporting -- answered --> finished
                   |                                  ^                        |
                   |  cancelled before it came        |   granted again        |
                   +----------------------------------+------------------------+

An attempt enters `running` at most once, and while it is `reporting` exactly one report of it is
being repeated. Orders may be lost, repeated and reordered: a repeated grant of an attempt that is
running or reporting changes nothing, one of a finished attempt reports the old outcome again.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final, Generic, Protocol, TypeVar
from uuid import UUID

from pointsman.contracts.leases import Lease

REMEMBERED: Final = 10_000
"""Finished attempts; an order is repeated within seconds, which is fewer attempts than this."""

REPORT_GRACE_S: Final = 5.0
"""For reports, after the last call or change has ended at a stop; a leader that is away longer
finds out when leases end."""

Key = tuple[UUID, int]


class Leased(Protocol):
    """What names an attempt: its grant, its lease or its report.

    A change of what a device has loaded is one as well: its stream, and its generation.
    """

    @property
    def task(self) -> UUID: ...
    @property
    def attempt(self) -> int: ...


Report = TypeVar("Report", bound=Leased)


class Taken(Enum):
    """What a grant means for the table."""

    RUN = auto()
    """New: run it."""
    REPORT = auto()
    """It has ended before: send `report_of` again."""
    STOP = auto()
    """Cancelled before its grant came: report it without running it."""
    KNOWN = auto()
    """It runs, or its report is on the way: nothing to do."""


@dataclass(slots=True)
class _Running:
    lease: Lease
    stop: Callable[[], object] | None = None
    stopped: bool = False
    past_stopping: bool = False


class Runs(Generic[Report]):
    """All attempts of one incarnation."""

    def __init__(self, remembered: int = REMEMBERED) -> None:
        self._remembered = remembered
        self._epoch = 0
        self._running: dict[Key, _Running] = {}
        self._reporting: dict[Key, Report] = {}
        self._finished: OrderedDict[Key, Report] = OrderedDict()
        self._stopped_early: OrderedDict[Key, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._running) + len(self._reporting)

    @property
    def running(self) -> int:
        """Attempts whose call has not ended."""
        return len(self._running)

    def admits(self, epoch: int) -> bool:
        """Whether orders of `epoch` count; remembers the greatest."""
        if epoch < self._epoch:
            return False
        self._epoch = epoch
        return True

    def take(self, grant: Leased) -> Taken:
        """Enter a grant; `RUN` and `STOP` make it running, `REPORT` makes it reporting."""
        key = (grant.task, grant.attempt)
        if key in self._running or key in self._reporting:
            return Taken.KNOWN
        report = self._finished.pop(key, None)
        if report is not None:
            self._reporting[key] = report
            return Taken.REPORT
        self._running[key] = _Running(Lease(task=grant.task, attempt=grant.attempt))
        if key in self._stopped_early:
            del self._stopped_early[key]
            return Taken.STOP
        return Taken.RUN

    def holds(self, grant: Leased) -> bool:
        """Whether a repeated grant of it would start nothing new."""
        key = (grant.task, grant.attempt)
        return key in self._running or key in self._reporting or key in self._finished

    def stoppable(self, key: Key, stop: Callable[[], object]) -> bool:
        """From now on a cancellation calls `stop`; false if one has come already."""
        running = self._running[key]
        running.stop = stop
        return not running.stopped

    def past_stopping(self, key: Key) -> None:
        """The engine has answered: a cancellation comes too late."""
        self._running[key].past_stopping = True

    def cancel(self, lease: Lease) -> None:
        """Stop a running attempt, once; one that is not known is stopped when its grant comes."""
        key = (lease.task, lease.attempt)
        running = self._running.get(key)
        if running is None:
            if key not in self._reporting and key not in self._finished:
                self._stopped_early[key] = None
                _shrink(self._stopped_early, self._remembered)
            return
        if running.past_stopping or running.stopped:
            return
        running.stopped = True
        if running.stop is not None:
            running.stop()

    def stopped(self, key: Key) -> bool:
        """Whether a running attempt was cancelled before the engine had answered."""
        return self._running[key].stopped

    def stop_all(self) -> None:
        """Stop every running call that has not been answered; this is no cancellation."""
        for running in tuple(self._running.values()):
            if running.stop is not None and not running.past_stopping:
                running.stop()

    def ended(self, report: Report) -> None:
        """A running attempt has an outcome."""
        key = (report.task, report.attempt)
        del self._running[key]
        self._reporting[key] = report

    def answered(self, key: Key) -> None:
        """The leader has recorded the outcome; it is remembered for a repeated grant."""
        self._finished[key] = self._reporting.pop(key)
        _shrink(self._finished, self._remembered)

    def report_of(self, grant: Leased) -> Report:
        """The outcome of an attempt that is reporting."""
        return self._reporting[(grant.task, grant.attempt)]

    def leases(self) -> Iterable[Lease]:
        """All leases to renew: attempts that run, and those whose end the leader does not know."""
        for running in self._running.values():
            yield running.lease
        for report in self._reporting.values():
            yield Lease(task=report.task, attempt=report.attempt)


def _shrink(remembered: OrderedDict[Key, Any], to: int) -> None:
    while len(remembered) > to:
        remembered.popitem(last=False)
