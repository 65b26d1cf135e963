"""Times as the history of a task tells them."""

from datetime import UTC, datetime


def clock(at: float) -> str:
    """A time of day, UTC, to the millisecond."""
    return datetime.fromtimestamp(at, tz=UTC).strftime("%H:%M:%S.%f")[:-3]


def span(seconds: float) -> str:
    """A duration with a unit that fits it."""
    if seconds < 1.0:
        return f"{seconds * 1000:.3g} ms"
    return f"{seconds:.3g} s"
