"""Timeouts of runs and loads, and retries."""

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
    """Least and greatest run timeout."""

    least_s: float
    most_s: float


# Seconds by device class and complexity band. What was not judged gets the widest of its class, and
# what is neither simple nor complex lies between the two.
TIMEOUT_BOUNDS: Final[Mapping[tuple[str, str], TimeoutBounds]] = MappingProxyType(
    {
        ("gpu", "simple"): TimeoutBounds(2.0, 15.0),
        ("gpu", "medium"): TimeoutBounds(5.0, 45.0),
        ("gpu", "complex"): TimeoutBounds(10.0, 90.0),
        ("gpu", ""): TimeoutBounds(2.0, 90.0),
        ("cpu", "simple"): TimeoutBounds(15.0, 60.0),
        ("cpu", "medium"): TimeoutBounds(30.0, 150.0),
        ("cpu", "complex"): TimeoutBounds(60.0, 300.0),
        ("cpu", ""): TimeoutBounds(15.0, 300.0),
    }
)

_LOAD_LEAST_S: Final = 30.0
_LOAD_MOST_S: Final = 300.0
_MIB_PER_SIZE: Final = 16 * 1024.0
"""A model of this much memory has size 1: 7 billion weights of 16 bits and what they work on."""


def timeout_bounds(device_class: str, band: str = "") -> TimeoutBounds:
    """The bounds of a run; every class that is not known, and the stand-in, counts as a CPU."""
    of = "gpu" if device_class == "gpu" else "cpu"
    return TIMEOUT_BOUNDS.get((of, band)) or TIMEOUT_BOUNDS[of, ""]


def load_timeout_s(expected_s: float, memory_mib: float, *, measured: bool = False) -> float:
    """Three times what a load is expected to take, from 30 s up to 300 s for each 16 GiB.

    The upper bound while no load was measured: the registry's figure is of another machine.
    Smaller models have the bound of size 1, because most of a load is not about the weights.
    """
    most_s = _LOAD_MOST_S * max(1.0, memory_mib / _MIB_PER_SIZE)
    if not measured:
        return most_s
    return min(max(_TIMEOUT_FACTOR * expected_s, _LOAD_LEAST_S), most_s)


def run_timeout_s(
    run_times: RunTimes,
    device_class: str,
    *,
    now: float,
    deadline: float | None,
    band: str = "",
    timed_out: int = 0,
    added_s: float = 0.0,
) -> float:
    """Three times the measured p99 within the bounds of device class and complexity band.

    `added_s` is what others that share the call add to that p99.

    The upper bound instead while fewer runs than a window are known, and for a task that has
    timed out before: a few short runs say nothing about the long ones of the same variant, nor the
    band about what is simple to say and long to do.
    Never beyond the task's deadline: a result that nobody can use any more frees the slot.
    """
    bounds = timeout_bounds(device_class, "" if timed_out else band)
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
