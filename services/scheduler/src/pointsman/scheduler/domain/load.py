"""How loaded a pool is, as its leader tells others; a reading, not a decision."""

from collections import Counter
from collections.abc import Mapping
from math import ceil
from types import MappingProxyType
from typing import Final

from pointsman.contracts.task_states import TaskState
from pointsman.contracts.telemetry import FamilyLoad, PoolSample, SlotLoad
from pointsman.policy.batching import batch_s, largest
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.variants import in_use, serving_devices

NOTHING_REFUSED: Final[Mapping[str, int]] = MappingProxyType({})


def sample_load(
    pool: Pool, *, at: float, refused: Mapping[str, int] = NOTHING_REFUSED
) -> PoolSample:
    """A reading of the pool; looks at each queue class, device, family and timer of a retry.

    `refused` counts by family what was shed at the door: it is demand as well.
    """
    waiting, slots = _waiting(pool), _slots(pool)
    return PoolSample(
        pool=pool.name,
        at=at,
        applied_to=pool.applied_to,
        queued=pool.queued,
        granted=len(pool.tasks) - pool.queued - len(pool.parts.split),
        families=tuple(
            _family(pool, name, waiting[name], slots, refused.get(name, 0))
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


def _family(pool: Pool, family: str, waiting: int, slots: Counter[str], refused: int) -> FamilyLoad:
    serving = [model.variant for model in pool.models.family(family) if slots[model.variant]]
    best = serving[0] if serving else ""
    best_s = _share_s(pool, best, _company(pool, best)) if best else 0.0
    wait_s = None
    if serving:
        used = in_use(pool, family, serving)
        size = min(_company(pool, used), ceil(waiting / slots[used]) or 1)
        wait_s = waiting * _share_s(pool, used, size) / slots[used]
    return FamilyLoad(
        family=family,
        queued=waiting,
        accepted=pool.accepted_of[family],
        best=best,
        best_slots=slots[best],
        best_service_s=round(best_s, 6),
        predicted_wait_s=None if wait_s is None else round(wait_s, 6),
        refused=refused,
        load_wait_s=None if serving else _load_wait_s(pool, family, waiting),
    )


def _load_wait_s(pool: Pool, family: str, waiting: int) -> float | None:
    """Until a task starts that needs a load first, at the place where that is soonest."""
    waits = [
        pool.models.times_of(offered.variant).load_s
        + waiting * _share_s(pool, offered.variant, 1) / offered.slots
        for device in serving_devices(pool)
        for offered in device.offer.loadable
        if (model := pool.models.get(offered.variant)) is not None and model.family == family
    ]
    return round(min(waits), 6) if waits else None


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
        if task is not None and task.state is TaskState.QUEUED:
            waiting[task.accepted.family] += task not in pool.waiting
    return waiting


def _slots(pool: Pool) -> Counter[str]:
    slots: Counter[str] = Counter()
    for device in serving_devices(pool):
        for variant, count in device.slots_of.items():
            slots[variant] += min(count, device.offer.slots)
    return slots
