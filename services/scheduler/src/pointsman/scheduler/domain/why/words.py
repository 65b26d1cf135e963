"""Times and lists as the history of a task tells them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

_NAMED: Final = 3
_EXACT: Final = 999.5
"""Seconds from which on three figures are fewer than stand before the point."""


def clock(at: float) -> str:
    """A time of day, UTC, to the millisecond."""
    try:
        return datetime.fromtimestamp(at, tz=UTC).strftime("%H:%M:%S.%f")[:-3]
    except (ValueError, OverflowError, OSError):
        # Whatever stands in a log is to be told.
        return f"second {at:.0f} since 1970"


def moment(at: float) -> str:
    """A date and a time of day, UTC, to the second."""
    return f"{datetime.fromtimestamp(at, tz=UTC):%Y-%m-%d %H:%M:%S}"


def named(things: Sequence[str]) -> str:
    """The first of them, and how many more there are."""
    more = len(things) - _NAMED
    return ", ".join(things[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def span(seconds: float) -> str:
    """A duration with a unit that fits it."""
    if seconds < 1.0:
        return f"{seconds * 1000:.3g} ms"
    return f"{seconds:.3g} s" if seconds < _EXACT else f"{seconds:.0f} s"
