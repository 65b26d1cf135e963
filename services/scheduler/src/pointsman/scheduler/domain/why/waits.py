"""What an open task waits for now, in words."""

from datetime import UTC, datetime
from math import inf

from pointsman.contracts.parts import PartsWork
from pointsman.scheduler.domain.devices import DeviceStatus
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.rounds.gates import Gates
from pointsman.scheduler.domain.tasks import LiveLease, OpenTask
from pointsman.scheduler.domain.why.loads import waits_for_load


def waits_for(pool: Pool, task: OpenTask) -> str:
    """The end of a sentence that begins with `It waits for`."""
    if task.lease is not None and task.lease.work is not None:
        return _for_work(task.lease)
    if task.lease is not None:
        return " or ".join(
            f"the result of attempt {lease.attempt} on {lease.device}" for lease in task.leases
        )
    gates = Gates(pool, inf)
    steered = _for_an_operator(gates, task)
    others = steered or _for_others(task) or _for_parts(pool, task)
    return others or _for_a_device(pool, gates, task)


def _for_others(task: OpenTask) -> str | None:
    if task.unmet:
        return f"its end: it depends on {task.unmet}"
    if not task.awaits:
        return None
    first, *others = sorted(task.awaits)
    return f"task {first}" + (f" and {len(others)} more" if others else "") + " to complete"


def _for_work(lease: LiveLease) -> str:
    what = "its input to be cut" if lease.work is PartsWork.SPLIT else "its results to be merged"
    return f"{what} by {lease.executor} (attempt {lease.attempt})"


def _for_parts(pool: Pool, task: OpenTask) -> str | None:
    if task.id in pool.waiting.desk:
        return "an executor to merge its results" if task.parts else "an executor to cut its input"
    if task.parts is None:
        return None
    if task.parts.complete:
        return _for_its_time(task)
    return f"{len(task.parts.numbers) - len(task.parts.ended)} of {len(task.parts.numbers)} parts"


def _for_its_time(task: OpenTask) -> str:
    if task.retry_at == task.accepted.not_before:
        moment = datetime.fromtimestamp(task.retry_at, tz=UTC)
        return f"its time, {moment:%Y-%m-%d %H:%M:%S} UTC"
    return "the end of its retry delay"


def _for_a_device(pool: Pool, gates: Gates, task: OpenTask) -> str:
    wanted = set(task.accepted.variants)
    fitting = [d for d in pool.devices.values() if wanted & set(d.slots_of)]
    ready = [device for device in fitting if device.status is DeviceStatus.READY]
    if not fitting and task in pool.waiting and (load := waits_for_load(pool, task)) is not None:
        return load
    if not fitting:
        return "a device that has one of its variants loaded; none is attached"
    if not ready:
        return f"a device to come back: {fitting[0].offer.device} is {fitting[0].status}"
    if task not in pool.waiting:
        return _for_its_time(task)
    refused = [
        gates.device_refused(device)
        or pool.breakers.words(device.name, variant)
        or gates.variant_refused(device, variant, 0)
        for device in ready
        for variant in wanted & set(device.slots_of)
    ]
    if all(refused):
        return f"its turn: {refused[0]}"
    return f"a free slot; {pool.queued} task(s) wait in the pool"


def _for_an_operator(gates: Gates, task: OpenTask) -> str | None:
    if task.held:
        return f"its release: it is held by {task.held}"
    if (paused := gates.pool_refused()) is not None:
        return f"the end of a pause: {paused}"
    refused = gates.class_refused(task.class_id) or gates.tenant_refused(task.tenant, 0)
    return None if refused is None else f"its turn: {refused}"
