"""Run timeouts and retries."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from pointsman.policy.run_times import RunTimes

MIN_RUN_S: Final = 0.05
"""A shorter engine deadline would fail before the call has left this process."""

_TIMEOUT_FACTOR: Final = 3.0
_BACKOFF_S: Final = 0.5
_BACKOFF_CAP_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class TimeoutBounds:
    """Least and greatest run timeout of a device class."""

    least_s: float
    most_s: float


# Simple work on a GPU takes seconds and complex work up to a minute and a half, on a CPU minutes;
# until tasks are classified by complexity the widest bounds of a device class hold.
TIMEOUT_BOUNDS: Final[Mapping[str, TimeoutBounds]] = MappingProxyType(
    {
        "gpu": TimeoutBounds(least_s=2.0, most_s=90.0),
        "cpu": TimeoutBounds(least_s=15.0, most_s=300.0),
        "noop": TimeoutBounds(least_s=15.0, most_s=300.0),
    }
)


def run_timeout_s(
    run_times: RunTimes,
    device_class: str,
    *,
    now: float,
    deadline: float | None,
    timed_out: int = 0,
    added_s: float = 0.0,
) -> float:
    """Three times the measured p99 within the class's bounds.

    `added_s` is what others that share the call add to that p99.

    The upper bound instead while fewer runs than a window are known, and for a task that has
    timed out before: a few short runs say nothing about the long ones of the same variant.
    Never beyond the task's deadline: a result that nobody can use any more frees the slot.
    """
    bounds = TIMEOUT_BOUNDS.get(device_class, TIMEOUT_BOUNDS["cpu"])
    timeout = bounds.most_s
    if run_times.settled and not timed_out:
        usual = _TIMEOUT_FACTOR * (run_times.p99_s + added_s)
        timeout = min(max(usual, bounds.least_s), bounds.most_s)
    if deadline is not None:
        timeout = min(timeout, deadline - now)
    return max(timeout, MIN_RUN_S)


def retry_delay_s(attempt: int, draw: float) -> float:
    """Exponential backoff with full jitter: uniform in [0, min(30 s, 0.5 s x 2^(attempt-1))).

    `draw` is uniform in [0, 1). Source: Brooker, "Exponential Backoff And Jitter", 2015.
    """
    return draw * min(_BACKOFF_CAP_S, _BACKOFF_S * 2.0 ** (attempt - 1))
