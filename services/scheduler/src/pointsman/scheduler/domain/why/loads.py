"""What a task waits for whose variants are on no device, in words."""

from pointsman.scheduler.domain.devices import Device, DeviceStatus
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.tasks import OpenTask
from pointsman.scheduler.domain.why.words import clock, span


def waits_for_load(pool: Pool, task: OpenTask) -> str | None:
    """The load that goes on for it, or the devices that could begin one; None: there are none."""
    wanted = set(task.accepted.variants)
    for device in pool.devices.values():
        change = device.changing
        if change is not None and change.load in wanted:
            since, needs = clock(change.at), span(change.expected_s)
            return f"{device.name}, which loads {change.load} since {since} and needs about {needs}"
    able = [device for device in pool.devices.values() if _could_load(device, wanted)]
    if not able:
        return None
    busy = [device.name for device in able if not device.idle]
    if len(busy) == len(able):
        return f"a device to load one of its variants; {', '.join(busy)} could, and is busy"
    return f"a device to load one of its variants; {len(able)} could"


def _could_load(device: Device, wanted: set[str]) -> bool:
    serves = device.status is DeviceStatus.READY and not device.draining
    return serves and any(offered.variant in wanted for offered in device.offer.loadable)
