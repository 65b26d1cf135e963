"""The bound B: how long a class may wait for a device before it comes first whatever it costs."""

from math import ceil

from pointsman.policy.swap_credit import SHARE


def quantum_s(load_s: float, share: float = SHARE) -> float:
    """Service that pays for one load: `load (1 - f) / f`."""
    return load_s * (1 - share) / share


def round_s(*, load_s: float, run_p99_s: float, share: float = SHARE) -> float:
    """`Q + load + p99 run`: for how long a device may be one class's before the next comes."""
    return quantum_s(load_s, share) + load_s + run_p99_s


def rounds(classes: int, devices: int) -> int:
    """`ceil(M / K)`: how often each device changes until every waiting class has had one."""
    return ceil(classes / devices) or 1


def wait_bound_s(
    *, classes: int, devices: int, load_s: float, run_p99_s: float, share: float = SHARE
) -> float:
    """`B = ceil(M / K) (Q + load + p99 run)` for M waiting classes on K devices.

    The head of a class waits 2 B at the most, counted from the moment the class waits.
    """
    return rounds(classes, devices) * round_s(load_s=load_s, run_p99_s=run_p99_s, share=share)
