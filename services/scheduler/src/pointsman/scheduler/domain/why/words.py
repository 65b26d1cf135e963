"""Times and lists as the history of a task tells them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

_NAMED: Final = 3
_SAME_DAY_S: Final = 86_400.0
_EXACT: Final = 999.5
"""From here on three figures are fewer than stand before the point."""


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


def clock_beside(at: float, beside: float) -> str:
    """A time of day, with its date if it is far from another one."""
    return clock(at) if abs(beside - at) < _SAME_DAY_S else moment(at)


def named(things: Sequence[str]) -> str:
    """The first of them, and how many more there are."""
    more = len(things) - _NAMED
    return ", ".join(things[:_NAMED]) + (f" and {more} more" if more > 0 else "")


def span(seconds: float) -> str:
    """A duration with a unit that fits it."""
    milliseconds = seconds * 1000
    return f"{figures(milliseconds)} ms" if milliseconds < _EXACT else f"{figures(seconds)} s"


def figures(value: float) -> str:
    """Three figures, or all before the point, and no exponent."""
    return f"{Decimal(f'{value:.3g}'):f}" if value < _EXACT else f"{value:.0f}"
