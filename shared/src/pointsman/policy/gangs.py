"""Devices that have one model together: the first of them speaks for all."""

from collections.abc import Hashable, Sequence

from pointsman.policy.dedicated_device import DedicatedDevice
from pointsman.policy.free_devices import FreeDevices
from pointsman.policy.queued_task import QueuedTask
from pointsman.policy.waiting_classes import WaitingClasses


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


def give_up_model(
    device: DedicatedDevice, free: FreeDevices, classes: WaitingClasses[QueuedTask], now: float
) -> None:
    """Nothing is loaded there any more, nor on the others that have parts of the same model."""
    if device.follows is not None:
        give_up_model(device.follows, free, classes, now)
    dissolve(device, free)
    device.fresh = False
    if device.residents:
        device.residents = ()
        classes.take_notice(device, now)
        free.note(device)
