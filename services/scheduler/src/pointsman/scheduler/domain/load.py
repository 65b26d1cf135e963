"""How loaded a pool is, as its leader tells others; a reading, not a decision."""

from collections import Counter
from collections.abc import Mapping, Sequence
from math import ceil
from types import MappingProxyType
from typing import Final, NamedTuple

from pointsman.contracts.task_states import TaskState
from pointsman.contracts.telemetry import FamilyLoad, PoolSample, SlotLoad
from pointsman.policy.batching import batch_s, largest
from pointsman.scheduler.domain.admission.able_devices import could_run
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.rounds.gates import Gates
from pointsman.scheduler.domain.rounds.variants import in_use, serving_devices

NOTHING_REFUSED: Final[Mapping[str, int]] = MappingProxyType({})


def sample_load(
    pool: Pool, *, at: float, refused: Mapping[str, int] = NOTHING_REFUSED
) -> PoolSample:
    """A reading of the pool; looks at each queue class, device, family and timer of a retry.

    `refused` counts by family what was shed at the door: it is demand as well.
    """
    gates = Gates(pool, at)
    waiting, slots = _waiting(pool), _slots(pool, gates)
    kept_back = _kept_back(pool, gates, waiting)
    return PoolSample(
        pool=pool.name,
        at=at,
        applied_to=pool.applied_to,
        queued=pool.queued,
        granted=len(pool.tasks) - pool.queued - len(pool.parts.split),
        families=tuple(
            _family(
                pool,
                _Queued(name, waiting[name], kept_back[name], refused.get(name, 0)),
                slots,
                gates,
            )
            for name in pool.models.families()
        ),
        devices=tuple(
            SlotLoad(
                device=name, state=device.status, slots=device.offer.slots, occupied=device.occupied
            )
            for name, device in pool.devices.items()
        ),
        paused=pool.steering.pool_paused() is not None,
    )


class _Queued(NamedTuple):
    """What waits for a family, and how much of it an operator keeps back."""

    family: str
    tasks: int
    kept_back: int
    refused: int


def _family(pool: Pool, queued: _Queued, slots: Counter[str], gates: Gates) -> FamilyLoad:
    family, waiting = queued.family, queued.tasks - queued.kept_back
    paused = gates.family_paused(family) is not None
    models = () if paused else pool.models.family(family)
    serving = [model.variant for model in models if slots[model.variant]]
    best = serving[0] if serving else ""
    best_s = _share_s(pool, best, _company(pool, best)) if best else 0.0
    wait_s = None
    if serving:
        used = in_use(pool, family, serving)
        size = min(_company(pool, used), ceil(waiting / slots[used]) or 1)
        wait_s = waiting * _share_s(pool, used, size) / slots[used]
    load = None if serving or paused else _load(pool, family, waiting, gates)
    return FamilyLoad(
        family=family,
        queued=queued.tasks,
        accepted=pool.accepted_of[family],
        best=best,
        best_slots=slots[best],
        best_service_s=round(best_s, 6),
        predicted_wait_s=None if wait_s is None else round(wait_s, 6),
        refused=queued.refused,
        load_wait_s=None if load is None else round(sum(load), 6),
        load_s=0.0 if load is None else round(load[0], 6),
        kept_back=queued.kept_back,
    )


def _load(pool: Pool, family: str, waiting: int, gates: Gates) -> tuple[float, float] | None:
    """How long a load takes and the tasks before one that is accepted now, where that is soonest.

    None: nothing can be loaded.
    """
    loads = (
        (
            pool.models.times_of(offered.variant).load_s,
            waiting * _share_s(pool, offered.variant, 1) / offered.slots,
        )
        for device in serving_devices(pool)
        if gates.device_refused(device) is None
        for offered in device.offer.loadable
        if (model := pool.models.get(offered.variant)) is not None
        and model.family == family
        and gates.model_paused(offered.variant) is None
    )
    return min(loads, key=sum, default=None)


def _share_s(pool: Pool, variant: str, size: int) -> float:
    """How long a slot is taken for each of `size` tasks that share a call."""
    alone, added = pool.models.run_times_of(variant), pool.models.added_times_of(variant)
    # A slot is taken for longer than the run: the grant and the report travel as well.
    return (batch_s(alone.p50_s, added.p50_s, size) + pool.turnaround.p50_s) / size


def _company(pool: Pool, variant: str) -> int:
    """Tasks that share a call of a variant when many wait."""
    most = max((d.max_batch_of.get(variant, 1) for d in serving_devices(pool)), default=1)
    return largest(pool.models.run_times_of(variant), pool.models.added_times_of(variant), most)


def _waiting(pool: Pool) -> Counter[str]:
    waiting: Counter[str] = Counter()
    for (family, _), queue in pool.waiting.queues():
        waiting[family] += len(queue)
    for _, _, task_id in pool.waiting.desk:
        task = pool.tasks[task_id]
        waiting[task.accepted.family] += task.state is TaskState.QUEUED
    # Those that wait for their context or their next attempt stand in no queue; a timer may be
    # there twice, or have outlived its task. Those that wait for their time, for other tasks or for
    # an operator are no load.
    for _, _, task_id in pool.waiting.retries:
        task = pool.tasks.get(task_id)
        if task is not None and task.state is TaskState.QUEUED and not task.held:
            waiting[task.accepted.family] += task not in pool.waiting
    return waiting


def _kept_back(pool: Pool, gates: Gates, waiting: Counter[str]) -> Counter[str]:
    """Waiting tasks of which an operator lets none start, whatever becomes free."""
    if gates.pool_refused() is not None:
        return waiting
    kept: Counter[str] = Counter()
    tenants = [name for name in gates.tenants() if gates.tenant_refused(name) is not None]
    for class_id, queue in pool.waiting.queues():
        if gates.class_refused(class_id) is not None or _drained(pool, queue.variants):
            kept[class_id[0]] += len(queue)
        elif tenants:
            kept[class_id[0]] += sum(queue.count_of(name) for name in tenants)
    return kept


def _drained(pool: Pool, variants: Sequence[str]) -> bool:
    """Whether operators have drained every device that could run one of the variants."""
    if not any(device.draining for device in pool.devices.values()):
        return False
    able = [
        device
        for device in pool.devices.values()
        if any(could_run(pool, device, variant) for variant in variants)
    ]
    return bool(able) and all(device.draining for device in able)


def _slots(pool: Pool, gates: Gates) -> Counter[str]:
    slots: Counter[str] = Counter()
    for device in serving_devices(pool):
        if gates.device_refused(device) is not None:
            continue
        for variant, count in device.slots_of.items():
            if gates.model_paused(variant) is None:
                slots[variant] += min(count, device.offer.slots)
    return slots
