"""What operators ask of devices: to drain them, to load models on them and to unload those."""

from collections.abc import Sequence
from typing import Final

from pointsman.contracts.commands import Done, Rejected
from pointsman.contracts.events import (
    DeviceMode,
    DrainEnded,
    DrainStarted,
    ResidencyAsked,
    Steered,
)
from pointsman.contracts.refusals import NOT_LOADABLE
from pointsman.contracts.steering import (
    DeviceSteering,
    DrainDevice,
    LoadModel,
    UndrainDevice,
    UnloadModel,
)
from pointsman.contracts.streams import stream_id
from pointsman.scheduler.domain.admission.able_devices import (
    could_run,
    why_unable,
)
from pointsman.scheduler.domain.devices import Device, DeviceStatus
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.registered import unknown_model
from pointsman.scheduler.domain.steering.agreed import Agreed, Steer
from pointsman.scheduler.domain.steering.pools import agreed_for_pool

_MODES: Final = (
    "`pointsman device ls` shows the devices; loads need one in mode dedicated or shared"
)


def decide_device_steering(pool: Pool, command: DeviceSteering, *, at: float) -> Steer:
    """Take what an operator asks of a device, or of whichever device fits."""
    match command:
        case DrainDevice():
            return _drain(pool, command, at)
        case UndrainDevice():
            return _undrain(pool, command, at)
        case LoadModel():
            return _load(pool, command, at)
        case UnloadModel():
            return _unload(pool, command, at)


def refuse_load(pool: Pool, variant: str, device: str = "") -> Rejected | None:
    """Refuse a load that none of the devices it is meant for could ever hold.

    Asked at the door only: an ask in the log stands, and a replay decides it as it was decided.
    """
    named = pool.devices.get(device)
    devices = [*pool.devices.values()] if named is None else [named]
    if any(could_run(pool, each, variant) for each in devices):
        return None
    return _not_loadable(variant, [why_unable(pool, devices, variant)])


def _drain(pool: Pool, command: DrainDevice, at: float) -> Steer:
    device = pool.devices.get(command.device)
    if device is None:
        return _no_such_device(pool, command.device)
    drained_by = pool.steering.draining(command.device)
    if drained_by is not None:
        return Done(detail=f"it is drained already by {drained_by}")
    started = DrainStarted(
        at=at,
        applied_to=pool.applied_to,
        by=command.by,
        reason=command.reason,
        device=command.device,
    )
    left = len(device.held) + len(device.suspect)
    runs = "1 attempt still runs" if left == 1 else f"{left} attempts still run"
    detail = f"draining, {runs}" if left else "drained, nothing runs there"
    return _of_device(pool, command.device, started, detail)


def _undrain(pool: Pool, command: UndrainDevice, at: float) -> Steer:
    if pool.steering.draining(command.device) is None:
        if command.device not in pool.devices:
            return _no_such_device(pool, command.device)
        return Done(detail="it is not drained")
    ended = DrainEnded(
        at=at,
        applied_to=pool.applied_to,
        by=command.by,
        reason=command.reason,
        device=command.device,
    )
    return _of_device(pool, command.device, ended, "it takes work again")


def _load(pool: Pool, command: LoadModel, at: float) -> Steer:
    if command.variant not in pool.models:
        return unknown_model(command.variant)
    if command.device and command.device not in pool.devices:
        return _no_such_device(pool, command.device)
    candidates = [pool.devices[command.device]] if command.device else [*pool.devices.values()]
    asked = pool.steering.asks.find(command.device, command.variant)
    if asked is not None and asked.event.load:
        return Done(detail=f"that is asked for already by {asked.event.by}")
    # An unload that is still open is taken back, whatever is loaded now.
    holders = [d.name for d in candidates if pool.steering.asks.stays(d.name, command.variant)]
    if holders and asked is None:
        return Done(detail=f"{command.variant} is loaded on {', '.join(holders)} already")
    refused = [_cannot_load(pool, device, command.variant) for device in candidates]
    if not holders and all(reason is not None for reason in refused):
        return _not_loadable(command.variant, refused, _way_out(pool, candidates, command))
    return agreed_for_pool(
        pool,
        f"{command.variant} will be loaded on {command.device or 'a device that fits'}",
        _asked(pool, command, command.device, load=True, at=at),
    )


def _unload(pool: Pool, command: UnloadModel, at: float) -> Steer:
    if command.device and command.device not in pool.devices:
        return _no_such_device(pool, command.device)
    candidates = [pool.devices[command.device]] if command.device else [*pool.devices.values()]
    holders = [device for device in candidates if command.variant in device.slots_of]
    fixed = [device for device in holders if device.offer.mode is DeviceMode.FIXED]
    if fixed:
        return _fixed(fixed[0], command.variant)
    wanted = [device.name for device in holders if not _is_asked(pool, device.name, command)]
    opposed = [
        ask.event.device
        for ask in pool.steering.asks.of(command.variant)
        if ask.event.load and command.device in {"", ask.event.device}
    ]
    if not holders and not opposed and command.variant not in pool.models:
        return unknown_model(command.variant)
    if not wanted and not opposed:
        nowhere = "it is asked for already" if holders else "it is not loaded"
        return Done(detail=f"{command.variant} on {command.device or 'any device'}: {nowhere}")
    names = dict.fromkeys([*wanted, *opposed])
    asked = (_asked(pool, command, name, load=False, at=at) for name in names)
    where = ", ".join(wanted) or "no device: what was asked for is taken back"
    return agreed_for_pool(pool, f"{command.variant} will be unloaded from {where}", *asked)


def _is_asked(pool: Pool, device: str, command: UnloadModel) -> bool:
    ask = pool.steering.asks.find(device, command.variant)
    return ask is not None and not ask.event.load


def _asked(
    pool: Pool, command: LoadModel | UnloadModel, device: str, *, load: bool, at: float
) -> ResidencyAsked:
    return ResidencyAsked(
        at=at,
        applied_to=pool.applied_to,
        by=command.by,
        reason=command.reason,
        pool=pool.name,
        variant=command.variant,
        load=load,
        device=device,
    )


def _cannot_load(pool: Pool, device: Device, variant: str) -> str | None:
    if device.offer.mode is DeviceMode.FIXED:
        return f"{device.name} serves what its engine has loaded"
    if device.status is DeviceStatus.DETACHED:
        return f"{device.name} is {device.status}"
    if not device.can_load(variant):
        return f"the engine of {device.name} does not have it"
    drained_by = pool.steering.draining(device.name)
    return None if drained_by is None else f"{device.name} is drained by {drained_by}"


def _not_loadable(variant: str, refused: list[str | None], way_out: str = _MODES) -> Rejected:
    reasons = "; ".join(reason for reason in refused if reason is not None)
    return Rejected(
        code=NOT_LOADABLE,
        message=f"{variant} can be loaded on no device: {reasons or 'there is none'}",
        next=way_out,
    )


def _way_out(pool: Pool, devices: Sequence[Device], command: LoadModel) -> str:
    """What makes one of these devices load a variant again; those that are drained could."""
    drained = [
        device.name
        for device in devices
        if pool.steering.draining(device.name) is not None
        and device.status is not DeviceStatus.DETACHED
        and device.offer.mode is not DeviceMode.FIXED
        and could_run(pool, device, command.variant)
    ]
    if not drained:
        return _MODES
    return (
        f"end the drain when its reason is gone: `pointsman device undrain {drained[0]} "
        "--reason ...`; until then nothing is loaded there"
    )


def _fixed(device: Device, variant: str) -> Rejected:
    return Rejected(
        code="device_fixed",
        message=f"device {device.name} serves what its engine has loaded: nothing is unloaded "
        "from here",
        next="attach it in mode dedicated or shared, or pause the model: "
        f"`pointsman pause model {variant} --reason ...`",
    )


def _no_such_device(pool: Pool, device: str) -> Rejected:
    return Rejected(
        code="no_such_device",
        message=f"pool {pool.name} has no device {device!r}",
        next="use one of `pointsman device ls`",
    )


def _of_device(pool: Pool, device: str, event: Steered, detail: str) -> Agreed:
    return Agreed(pool.decided(stream_id("device", device), event), detail)
