"""Changes of devices, models and rules, decided again from the command that led to them.

An executor's offer is recorded where it changed something; what stayed as it was is taken from the
pool.
"""

import msgspec

from pointsman.contracts import events
from pointsman.contracts.decided import Decided
from pointsman.contracts.leases import AttachExecutor, DeviceHealth, DeviceOffer
from pointsman.policy.parameters import from_figures
from pointsman.scheduler.domain.attachment import (
    decide_absent,
    decide_attach,
    decide_health,
    decide_models,
    decide_routing,
)
from pointsman.scheduler.domain.devices import DeviceStatus
from pointsman.scheduler.domain.pool import Pool
from pointsman.time_machine.replay.appends import Append, Moment


def attached(
    pool: Pool, append: Append, event: events.DeviceAttached, moment: Moment
) -> Decided | None:
    """An executor offers its devices, or one that was thought absent is heard again."""
    command = _attach(pool, event.executor, event.incarnation, moment)
    return _of(append, decide_attach(pool, command, at=event.at))


def detached(
    pool: Pool, append: Append, event: events.DeviceDetached, moment: Moment
) -> Decided | None:
    """An executor is absent, or offers the device no more."""
    device = pool.devices.get(event.device)
    if device is None:
        return None
    executor = device.offer.executor
    absent = _of(append, decide_absent(pool, executor, at=event.at))
    if absent is not None and absent.events == append.events:
        return absent
    command = _attach(pool, executor, _incarnation(moment) or device.offer.incarnation, moment)
    return _of(append, decide_attach(pool, command, at=event.at)) or absent


def health(
    pool: Pool, append: Append, event: events.DeviceSuspended | events.DeviceResumed
) -> Decided | None:
    """An executor says whether its device serves."""
    device = pool.devices.get(event.device)
    if device is None:
        return None
    resumed = isinstance(event, events.DeviceResumed)
    command = DeviceHealth(
        command_id="",
        executor=device.offer.executor,
        incarnation=device.offer.incarnation,
        device=event.device,
        healthy=resumed,
        reason="" if resumed else event.reason,
        quiescent=resumed and event.quiescent,
        residency=event.residency if resumed else None,
    )
    return decide_health(pool, command, at=append.first.at)


def registered(pool: Pool, append: Append, event: events.ModelRegistered) -> Decided | None:
    """The registry says something new of a variant."""
    return _of(append, decide_models(pool, [event]))


def routing_changed(pool: Pool, append: Append, event: events.RoutingChanged) -> Decided | None:
    """The routing file is another one."""
    return _of(append, decide_routing(pool, event))


def policy_set(pool: Pool, append: Append, event: events.PolicySet) -> Decided | None:  # noqa: ARG001 - as all of the table
    """The leader was started with other parameters."""
    policy = pool.policy
    decided = policy.decide(
        from_figures(event.figures),
        event.source,
        event.holder,
        at=event.at,
        applied_to=pool.applied_to,
    )
    if decided is None:
        return None
    # A release that knew fewer figures recorded those.
    figures = {name: value for name, value in decided.figures.items() if name in event.figures}
    again = msgspec.structs.replace(decided, figures=figures)
    return policy.decided(again, pool.version_of(policy.stream))


def _of(append: Append, decided: list[Decided]) -> Decided | None:
    return next((item for item in decided if item.stream == append.stream), None)


def _incarnation(moment: Moment) -> str:
    attached = (each.first for each in moment.commands)
    return next((e.incarnation for e in attached if isinstance(e, events.DeviceAttached)), "")


def _attach(pool: Pool, executor: str, incarnation: str, moment: Moment) -> AttachExecutor:
    recorded = [event for append in moment.commands for event in append.events]
    new = [e for e in recorded if isinstance(e, events.DeviceAttached) and e.executor == executor]
    gone = {e.device for e in recorded if isinstance(e, events.DeviceDetached)}
    changed = {e.device for e in new} | gone
    standing = [
        device.offer
        for name, device in pool.devices.items()
        if device.offer.executor == executor
        and device.offer.incarnation == incarnation
        and device.status is not DeviceStatus.DETACHED
        and name not in changed
    ]
    return AttachExecutor(
        command_id="",
        executor=executor,
        incarnation=incarnation,
        devices=tuple(map(_offer, (*new, *standing))),
    )


def _offer(event: events.DeviceAttached) -> DeviceOffer:
    return DeviceOffer(
        device=event.device,
        endpoint=event.endpoint,
        device_class=event.device_class,
        slots=event.slots,
        residency=event.residency,
        quiescent=event.quiescent,
        mode=event.mode,
        memory_mib=event.memory_mib,
        loadable=event.loadable,
    )
