"""Moments of a log: a position, or a time."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

from pointsman.eventstore.log_rows import last_row, row_pages
from pointsman.runtime.errors import FatalError

_MICROSECONDS: Final = 1_000_000


class EmptyLogError(FatalError):
    """The log has no event; the caller names another."""

    code = "log_empty"

    def __init__(self, log: Path) -> None:
        super().__init__(f"{log} holds no event.", next_step="Name the log of a stack that ran.")


class BeforeLogError(FatalError):
    """Nothing had happened yet; the caller names a later moment."""

    code = "before_log"

    def __init__(self, position: int, time_us: int) -> None:
        super().__init__(
            f"the log begins at position {position}, {_instant(time_us)}.",
            next_step="Name that moment or a later one.",
        )


class BeyondLogError(FatalError):
    """The log ends earlier, and what came then is not in it; the caller names another moment."""

    code = "beyond_log"

    def __init__(self, position: int, time_us: int) -> None:
        super().__init__(
            f"the log ends at position {position}, {_instant(time_us)}.",
            next_step="Name that moment or an earlier one; without any, the end is meant.",
        )


class Moment(NamedTuple):
    """The last event at or before it, and when that was; of a time the time itself."""

    position: int
    time: float


class Span(NamedTuple):
    """The time between two moments, seconds since the epoch."""

    begin: float
    end: float


def moment(log: Path, *, position: int | None = None, time: float | None = None) -> Moment:
    """Find a position or a time in a log; neither: its end.

    A time means the last event that was recorded at or before it. Raises `EmptyLogError`,
    `BeforeLogError`, `BeyondLogError` and what `row_pages` raises.
    """
    last = _end_of(log)
    time_us = None if time is None else round(time * _MICROSECONDS)
    if position is None and time_us is None:
        return Moment(last[0], last[1] / _MICROSECONDS)
    if (position or 0) > last[0] or (time_us or 0) > last[1]:
        raise BeyondLogError(*last)
    found = _last_until(log, position, time_us)
    return Moment(found[0], found[1] / _MICROSECONDS if time is None else time)


def require_position(log: Path, position: int) -> None:
    """Raises `BeyondLogError` where a log does not reach a position, and what `moment` raises."""
    last = _end_of(log)
    if position > last[0]:
        raise BeyondLogError(*last)


def _end_of(log: Path) -> tuple[int, int]:
    last = last_row(log)
    if last is None:
        raise EmptyLogError(log)
    return last


def _last_until(log: Path, position: int | None, time_us: int | None) -> tuple[int, int]:
    found: tuple[int, int] | None = None
    begin: tuple[int, int] | None = None
    for page in row_pages(log):
        begin = begin or (page[0][0], page[0][4])
        inside = [row for row in page if _is_until(row[0], row[4], position, time_us)]
        if inside:
            found = inside[-1][0], inside[-1][4]
        if len(inside) < len(page):
            break
    if begin is None:
        raise EmptyLogError(log)
    if found is None:
        raise BeforeLogError(*begin)
    return found


def _is_until(at: int, at_us: int, position: int | None, time_us: int | None) -> bool:
    if position is not None:
        return at <= position
    return time_us is None or at_us <= time_us


def _instant(time_us: int) -> str:
    """A time as it may be named again, without losing what it is rounded to."""
    return (
        datetime.fromtimestamp(time_us / _MICROSECONDS, tz=UTC).isoformat().replace("+00:00", "Z")
    )
