"""How many tasks of one class may share a call.

Slots are given out one by one as if there were no batches, so that nobody gets one later for the
sake of another's company. A task that finds none free may then join a call that was opened in the
same round: nothing is held back for it, and those in the call wait no longer than is said here.
"""

from typing import Final

from pointsman.policy.run_times import RunTimes

MAX_BYTES: Final = 8 * 1024 * 1024
"""Payloads of one call together; they pass through memory as one message."""

STRETCH: Final = 1.5
"""How many times as long as one task alone a batch is expected to take at the most."""

SHORT_S: Final = 0.05
"""A batch that takes no longer than this may grow whatever the stretch: it is a twentieth of what
interactive work allows."""

TRIAL_EVERY: Final = 64
"""Calls after which two tasks share one again where batches were given up: what was measured in a
bad minute would otherwise hold for ever."""

PRIOR_SHARE: Final = 0.5
"""Of a run's time: what a further task adds as long as nothing was measured. A batch of two stays
just within the stretch, so that one is tried and measured."""


def batch_s(alone_s: float, added_s: float, size: int) -> float:
    """Expected time of a call that `size` tasks share; each further one adds `added_s`."""
    return alone_s + (size - 1) * added_s


def added_s(alone: RunTimes, size: int, run_s: float) -> float:
    """What each further task added to a call that was shared by `size`, at least two.

    Never more than a run takes: what goes beyond that is not the batch's fault but the machine's.
    """
    return min(max(0.0, run_s - alone.p50_s) / (size - 1), alone.p50_s)


def longest_s(alone: RunTimes) -> float:
    """How long a batch may be expected to take."""
    return max(STRETCH * alone.p50_s, SHORT_S)


def largest(alone: RunTimes, added: RunTimes, most: int) -> int:
    """Tasks that share a call when enough of them wait and none has a deadline."""
    room = longest_s(alone) - alone.p50_s
    if room >= (most - 1) * added.p50_s:
        return most
    trial = (alone.runs + added.runs) % TRIAL_EVERY == 0
    return max(1 + int(room / added.p50_s), 2 if trial else 1)
