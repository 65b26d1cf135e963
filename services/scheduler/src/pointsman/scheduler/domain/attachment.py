"""Executors and their devices: attach, detach, health; and what the files of operators say."""

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from uuid import UUID

from msgspec.structs import replace

from pointsman.contracts.decided import Decided
from pointsman.contracts.events import (
    Decision,
    DeviceAttached,
    DeviceDetached,
    DeviceMode,
    DeviceResumed,
    DeviceSuspended,
    ModelRegistered,
    Residency,
    RoutingChanged,
)
from pointsman.contracts.events.attempt_ends import EXECUTOR_REPLACED, LEASE_EXPIRED
from pointsman.contracts.leases import AttachExecutor, DeviceHealth, DeviceOffer
from pointsman.contracts.streams import stream_id
from pointsman.scheduler.domain.attempts.ends import decide_lost
from pointsman.scheduler.domain.devices import DeviceStatus
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.tasks import LiveLease


def decide_attach(pool: Pool, command: AttachExecutor, *, at: float) -> list[Decided]:
    """Take an executor's devices; what its earlier incarnations ran is lost.

    A device that stays as it is gives no event, so attaching again changes nothing.
    """
    offered = {offer.device for offer in command.devices}
    # Lost first, so that their slots are suspect when a quiescent device frees those.
    decided = _lost(
        pool, EXECUTOR_REPLACED, lambda lease: _is_replaced(lease, command, offered), at
    )
    for offer in command.devices:
        attached = _attached(pool, command, offer, at)
        if not _stands(pool, attached):
            decided.append(_attachment(pool, attached))
    decided += [
        _detach(pool, name, f"executor {command.executor} no longer offers it", at)
        for name, device in pool.devices.items()
        if device.offer.executor == command.executor
        and name not in offered
        and device.status is not DeviceStatus.DETACHED
    ]
    return decided


def _attached(pool: Pool, command: AttachExecutor, offer: DeviceOffer, at: float) -> DeviceAttached:
    return DeviceAttached(
        at=at,
        applied_to=pool.applied_to,
        pool=pool.name,
        device=offer.device,
        executor=command.executor,
        incarnation=command.incarnation,
        endpoint=offer.endpoint,
        device_class=offer.device_class,
        slots=offer.slots,
        residency=_residency(pool, offer, command.incarnation),
        quiescent=offer.quiescent and _is_new(pool, offer.device, command),
        mode=offer.mode,
        memory_mib=offer.memory_mib,
        loadable=offer.loadable,
    )


def decide_absent(pool: Pool, executor: str, *, at: float) -> list[Decided]:
    """An executor has not renewed for a lease's life: detach its devices, lose its attempts."""
    decided = [
        _detach(pool, name, f"executor {executor} does not answer", at)
        for name, device in pool.devices.items()
        if device.offer.executor == executor and device.status is not DeviceStatus.DETACHED
    ]
    decided += _lost(pool, LEASE_EXPIRED, lambda lease: lease.executor == executor, at)
    return decided


def decide_return(pool: Pool, executor: str, incarnation: str, *, at: float) -> list[Decided]:
    """An executor that was thought absent renews again: its devices are back as they were."""
    return [
        _attachment(
            pool,
            replace(
                device.offer,
                at=at,
                applied_to=pool.applied_to,
                residency=device.residency,
                quiescent=False,
            ),
        )
        for device in pool.devices.values()
        if device.offer.executor == executor
        and device.offer.incarnation == incarnation
        and device.status is DeviceStatus.DETACHED
    ]


def decide_health(pool: Pool, command: DeviceHealth, *, at: float) -> Decided | None:
    """Suspend or resume a device; None when nothing changes or another executor speaks for it.

    An executor tells each change once, so it is noted of a detached device too: when that is back,
    its engine may have been restarted and have nothing of what it had.
    """
    device = pool.devices.get(command.device)
    if device is None or device.offer.incarnation != command.incarnation:
        return None
    suspended = device.status is DeviceStatus.SUSPENDED or bool(device.suspended_for)
    if command.healthy and suspended:
        return _of_device(
            pool,
            command.device,
            DeviceResumed(
                at=at,
                applied_to=pool.applied_to,
                device=command.device,
                quiescent=command.quiescent,
                residency=command.residency,
            ),
        )
    if not command.healthy and not suspended:
        return _of_device(
            pool,
            command.device,
            DeviceSuspended(
                at=at, applied_to=pool.applied_to, device=command.device, reason=command.reason
            ),
        )
    return None


def decide_models(pool: Pool, registered: Sequence[ModelRegistered]) -> list[Decided]:
    """Variants whose registry entry is new or has changed."""
    decided: list[Decided] = []
    for model in registered:
        known = pool.models.get(model.variant)
        if known is None or replace(known, at=model.at, applied_to=model.applied_to) != model:
            decided.append(pool.decided(stream_id("model", model.variant), model))
    return decided


def decide_routing(pool: Pool, event: RoutingChanged) -> list[Decided]:
    """The routing file, if it is another one than before."""
    known = pool.grounds.rules
    said_nothing = not (event.families or event.devices or event.tiers or event.domains)
    if event.version == known.version if known is not None else said_nothing:
        return []
    return [pool.decided(stream_id("routing", pool.name), event)]


def _lost(
    pool: Pool, reason: str, is_lost: Callable[[LiveLease], bool], at: float
) -> list[Decided]:
    """The attempts that nobody will report, those of one task together."""
    lost: dict[UUID, list[int]] = {}
    for task, lease in pool.leases():
        if is_lost(lease):
            lost.setdefault(task.id, []).append(lease.attempt)
    decided = (
        decide_lost(pool, task, reason, at=at, attempts=attempts) for task, attempts in lost.items()
    )
    return [item for item in decided if item is not None]


def _is_replaced(lease: LiveLease, command: AttachExecutor, offered: AbstractSet[str]) -> bool:
    if lease.executor == command.executor:
        return lease.incarnation != command.incarnation
    return lease.device in offered


def _is_new(pool: Pool, name: str, command: AttachExecutor) -> bool:
    # An incarnation that attaches again repeats what it saw when it started.
    device = pool.devices.get(name)
    return device is None or device.offer.incarnation != command.incarnation


def _stands(pool: Pool, attached: DeviceAttached) -> bool:
    device = pool.devices.get(attached.device)
    return (
        device is not None
        and device.status is not DeviceStatus.DETACHED
        and device.offer.incarnation == attached.incarnation
        and _offered(device.offer) == _offered(attached)
    )


def _offered(offer: DeviceAttached) -> tuple[object, ...]:
    # What the leader has had loaded since is not what the executor saw when it started.
    residency = offer.residency if offer.mode is DeviceMode.FIXED else ()
    return residency, offer.slots, offer.mode, offer.memory_mib, offer.loadable


def _residency(pool: Pool, offer: DeviceOffer, incarnation: str) -> tuple[Residency, ...]:
    """What is loaded: an incarnation that attaches again repeats what it saw when it started."""
    device = pool.devices.get(offer.device)
    if device is None or device.offer.incarnation != incarnation or offer.mode is DeviceMode.FIXED:
        return offer.residency
    return device.residency


def _attachment(pool: Pool, attached: DeviceAttached) -> Decided:
    """Attached, and suspended still if this incarnation had said so: it reports changes only."""
    device = pool.devices.get(attached.device)
    if (
        device is None
        or device.offer.incarnation != attached.incarnation
        or not device.suspended_for
    ):
        return _of_device(pool, attached.device, attached)
    suspended = DeviceSuspended(
        at=attached.at,
        applied_to=attached.applied_to,
        device=attached.device,
        reason=device.suspended_for,
    )
    return _of_device(pool, attached.device, attached, suspended)


def _of_device(pool: Pool, name: str, *events: Decision) -> Decided:
    return pool.decided(stream_id("device", name), *events)


def _detach(pool: Pool, name: str, reason: str, at: float) -> Decided:
    return _of_device(
        pool,
        name,
        DeviceDetached(at=at, applied_to=pool.applied_to, device=name, reason=reason),
    )
