"""What a task waits for whose variants are on no device, in words."""

from typing import NamedTuple

from pointsman.contracts.events import DeviceMode
from pointsman.scheduler.domain.admission.able_devices import could_run
from pointsman.scheduler.domain.devices import Device, DeviceStatus
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.rounds.gates import Gates
from pointsman.scheduler.domain.tasks import OpenTask
from pointsman.scheduler.domain.why.words import clock, span


class AwaitedLoad(NamedTuple):
    """What is told of a load."""

    words: str
    begun: bool


def waits_for_load(pool: Pool, gates: Gates, task: OpenTask) -> AwaitedLoad | None:
    """The load that goes on for it, or the devices that could begin one; None: there are none."""
    wanted = set(task.accepted.variants)
    for device in pool.devices.values():
        change = device.changing
        if change is not None and change.load in wanted:
            since, needs = clock(change.at), span(change.expected_s)
            words = (
                f"{device.name}, which loads {change.load} since {since} and needs about {needs}"
            )
            return AwaitedLoad(words, begun=True)
    able = [
        device
        for device in pool.devices.values()
        if device.status is not DeviceStatus.DETACHED
        and device.offer.mode is not DeviceMode.FIXED
        and any(could_run(pool, device, variant) for variant in wanted)
    ]
    return AwaitedLoad(_could(gates, able), begun=False) if able else None


def _could(gates: Gates, able: list[Device]) -> str:
    what = "a device to load one of its variants"
    closed = [reason for device in able if (reason := gates.device_refused(device)) is not None]
    if len(closed) == len(able):
        more = f", and {len(closed) - 1} more cannot either" if closed[1:] else ""
        return f"{what}: {closed[0]}{more}"
    serving = [device for device in able if gates.device_refused(device) is None]
    busy = [device.name for device in serving if not device.idle]
    if len(busy) == len(serving):
        return f"{what}; {', '.join(busy)} could, and is busy"
    return f"{what}; {len(serving)} could"
