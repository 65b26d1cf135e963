"""Times and lists as the history of a task tells them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

_NAMED: Final = 3


def clock(at: float) -> str:
    """A time of day, UTC, to the millisecond."""
    return datetime.fromtimestamp(at, tz=UTC).strftime("%H:%M:%S.%f")[:-3]


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
    return f"{seconds:.3g} s"
