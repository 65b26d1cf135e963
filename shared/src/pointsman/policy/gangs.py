"""Devices that have one model together: the first of them speaks for all."""

from collections.abc import Hashable, Sequence

from pointsman.policy.dedicated_device import DedicatedDevice
from pointsman.policy.free_devices import FreeDevices


def form(
    devices: Sequence[DedicatedDevice], class_id: Hashable, free: FreeDevices
) -> DedicatedDevice:
    """Let all but the first follow it, which is returned."""
    first, *others = devices
    first.followers = tuple(others)
    for follower in others:
        follower.follows = first
        follower.waits_as = class_id
        free.note(follower)
    return first


def dissolve(first: DedicatedDevice, free: FreeDevices) -> None:
    """Let those that follow it begin something of their own."""
    for follower in first.followers:
        follower.follows = None
        follower.waits_as = None
        free.note(follower)
    first.followers = ()
