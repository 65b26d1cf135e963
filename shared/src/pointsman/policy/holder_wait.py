"""Wait for the holder: whether a class that is resident elsewhere may take another device.

Loading a model twice costs a load now and somebody else's residency; waiting costs what the
devices that have it still need. This is the only rule of replication.
"""

from collections.abc import Iterable
from math import inf
from typing import Final, NamedTuple

from pointsman.policy.class_queue import ClassQueue, TaskT
from pointsman.policy.class_times import ClassTimes
from pointsman.policy.dedicated_device import ServingDevice

PATIENCE: Final = 5.0
"""How many loads a class waits for a device that has its model, before it loads another one.

Over 20 seeds of the made-up workload swaps fell from 0.59 of a plain queue's to 0.54 between 1.5
and 5, and to 0.51 at 20; waits did not change by more than seeds differ.
"""

IDLE_PATIENCE: Final = 0.5
"""How many loads it waits at the least, however many devices have nothing to do.

Over 100 000 tasks on 1 000 devices, half of them idle, the mean wait was 0.7 s at 0, 0.5 s at a
half and 1.1 s at one load, with 3.9, 1.5 and 1.7 loads for 100 tasks; 39 s with `PATIENCE`.
"""


def patience_loads(idle: int, most: float = PATIENCE, least: float = IDLE_PATIENCE) -> float:
    """How many loads a class waits for a device that has its model, while so many are idle.

    The last idle device is worth keeping for a class that no device has; of several each is worth
    its share of that.
    """
    return min(most, max(least, most / max(idle, 1)))


def remaining_s(device: ServingDevice, times: ClassTimes, now: float) -> float | None:
    """Expected time until a holder has a free slot.

    None where waiting makes no sense: it is not healthy, or has run for longer than the p99.
    """
    if not device.healthy:
        return None
    begun_at = device.begun_at
    if begun_at is None:
        return 0.0
    elapsed, runs = now - begun_at, times.runs
    if elapsed < 0:
        # It loads, and takes whoever comes first then.
        return -elapsed
    if device.loading:
        # Later than was expected: by as much again, as far as anybody can say.
        return elapsed
    # More than 0 while it runs, so that a device that is held back is looked at again later.
    if elapsed < runs.p50_s:
        return runs.p50_s - elapsed
    return runs.p99_s - elapsed if elapsed < runs.p99_s else None


class HolderWait(NamedTuple):
    """What a class has to expect of the devices that have its model."""

    expected_s: float | None
    """Wait of the last in the queue on healthy holders; None without one."""
    provided: bool
    """Each task has a device of its own already, that is free or loads the model."""


def holder_wait(
    queue: ClassQueue[TaskT], holders: Iterable[ServingDevice], now: float
) -> HolderWait:
    """Expected wait of what is in the queue."""
    times = queue.times
    least_s, healthy, ready, ready_s = inf, 0, 0, 0.0
    for device in holders:
        left_s = remaining_s(device, times, now)
        if left_s is None:
            continue
        healthy += 1
        least_s = min(least_s, left_s)
        begun_at = device.begun_at
        if begun_at is None or begun_at > now or device.loading:
            ready += 1
            ready_s = max(ready_s, left_s)
    if not healthy:
        return HolderWait(None, provided=False)
    if ready >= len(queue):
        return HolderWait(ready_s, provided=True)
    return HolderWait(least_s + (len(queue) - 1) / healthy * times.mean_s, provided=False)


def waits_for_holder(
    queue: ClassQueue[TaskT], wait: HolderWait, now: float, loads: float = PATIENCE
) -> bool:
    """Whether a class leaves a free device alone, because a holder will have time soon enough.

    `loads` is how many of its loads it waits.
    """
    if wait.provided:
        # Another load would end later than those that have begun.
        return True
    head, wait_s = queue.head(), wait.expected_s
    if wait_s is None or head is None or wait_s > loads * queue.times.load_s:
        return False
    if queue.hold is not None and now >= queue.hold.until:
        # A device was held back for this head already, and the holder did not take it.
        return False
    return head.deadline is None or head.deadline - queue.times.runs.p90_s >= now + wait_s
