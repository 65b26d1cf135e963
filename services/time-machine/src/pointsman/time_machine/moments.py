"""Moments of a log: a position, or a time."""

from pathlib import Path
from typing import Final, NamedTuple

from pointsman.eventstore.log_rows import row_pages
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

    def __init__(self, first: float) -> None:
        super().__init__(
            f"the log begins later, at {first:.3f} seconds since the epoch.",
            next_step="Name a later moment.",
        )


class Moment(NamedTuple):
    """The last event at or before it, and when that was; of a time the time itself."""

    position: int
    time: float


def moment(log: Path, *, position: int | None = None, time: float | None = None) -> Moment:
    """Find a position or a time in a log; neither: its end.

    A time means the last event that was recorded at or before it. Raises `EmptyLogError`,
    `BeforeLogError` and what `row_pages` raises.
    """
    found: tuple[int, int] | None = None
    first: int | None = None
    for page in row_pages(log):
        first = page[0][4] if first is None else first
        inside = [row for row in page if _is_until(row[0], row[4], position, time)]
        if inside:
            found = inside[-1][0], inside[-1][4]
        if len(inside) < len(page):
            break
    if first is None:
        raise EmptyLogError(log)
    if found is None:
        raise BeforeLogError(first / _MICROSECONDS)
    return Moment(found[0], found[1] / _MICROSECONDS if time is None else time)


def _is_until(at: int, time_us: int, position: int | None, time: float | None) -> bool:
    if position is not None:
        return at <= position
    return time is None or time_us <= time * _MICROSECONDS
