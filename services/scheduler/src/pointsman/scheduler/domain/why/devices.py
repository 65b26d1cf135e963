"""Which device a task waits for, in words."""

from math import inf

from pointsman.scheduler.domain.admission.able_devices import never_able
from pointsman.scheduler.domain.devices import Device, DeviceStatus
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.rounds.gates import Gates
from pointsman.scheduler.domain.rounds.offers import Offers
from pointsman.scheduler.domain.steering.places import place_of
from pointsman.scheduler.domain.tasks import OpenTask
from pointsman.scheduler.domain.why.limits import model_kept_back
from pointsman.scheduler.domain.why.loads import waits_for_load
from pointsman.scheduler.domain.why.words import clock, named


def waits_for_device(pool: Pool, gates: Gates, task: OpenTask, at: float) -> str:
    """A free slot, a load, or a device that is away."""
    wanted = set(task.accepted.variants)
    having = [device for device in pool.devices.values() if wanted & set(device.slots_of)]
    ready = [device for device in having if device.status is DeviceStatus.READY]
    refused = [_refused(pool, gates, task, device) for device in ready]
    if ready and not all(refused):
        better = _better(pool, gates, task, at)
        return f"{better or 'a free slot'}; {_in_line(pool, task)}{_kept_free(pool, task, at)}"
    load = waits_for_load(pool, gates, task)
    if load is not None and (not ready or load.begun):
        return load.words
    if ready:
        return f"its turn: {refused[0]}"
    if having:
        return f"a device to come back: {having[0].offer.device} is {having[0].status}"
    return _nowhere(pool, task)


def _refused(pool: Pool, gates: Gates, task: OpenTask, device: Device) -> str | None:
    """Why a device runs none of a task's variants that it has; None: it would run one."""
    closed = gates.device_refused(device)
    if closed is not None:
        return closed
    reasons = [
        pool.breakers.words(device.name, variant)
        or model_kept_back(pool, gates, variant)
        or gates.variant_refused(device, variant)
        for variant in task.accepted.variants
        if variant in device.slots_of
    ]
    return reasons[0] if all(reasons) else None


def _better(pool: Pool, gates: Gates, task: OpenTask, at: float) -> str | None:
    """What it leaves free slots alone for; None: there are none, or it is due."""
    better = Offers(pool, at, gates, {}).left_alone_for(task)
    if better is None:
        return None
    kept_back = model_kept_back(pool, gates, better)
    what = f"its turn: {kept_back}" if kept_back else f"a free slot of {better}"
    return f"{what}; before it is due, at {clock(task.key)}, no other variant is taken"


def _in_line(pool: Pool, task: OpenTask) -> str:
    place, queue = place_of(pool, task, task.key), pool.waiting.classes.get(task.class_id)
    if place is None or queue is None:
        return f"{pool.queued} task(s) wait in the pool"
    return (
        f"its place in the line of its class is {place} of {len(queue)}, and {pool.queued} "
        "task(s) wait in the pool"
    )


def _kept_free(pool: Pool, task: OpenTask, at: float) -> str:
    """The device that loads nothing for its class because others should take it sooner."""
    queue = pool.waiting.classes.get(task.class_id)
    hold = None if queue is None else queue.hold
    if hold is None or hold.until <= at < inf:
        return ""
    others = [
        _as_holder(pool.devices[device.name], task)
        for device in pool.waiting.classes.holders(task.class_id)
        if device.name != hold.device and device.healthy
    ]
    if not others:
        return ""
    return (
        f"; {hold.device} is kept free until {clock(hold.until)} and loads nothing for its class, "
        f"because {named(others)} should take it sooner"
    )


def _as_holder(device: Device, task: OpenTask) -> str:
    change = device.changing
    loads = change is not None and change.load in task.accepted.variants
    return f"{device.name} (which is loading it)" if loads else device.name


def _nowhere(pool: Pool, task: OpenTask) -> str:
    attached = any(d.status is not DeviceStatus.DETACHED for d in pool.devices.values())
    if not attached:
        return "a device that has one of its variants loaded; none is attached"
    why = never_able(pool, task.accepted.variants)
    what = "a device that has one of its variants loaded, or could load one"
    return what if why is None else f"{what}: {why}"
