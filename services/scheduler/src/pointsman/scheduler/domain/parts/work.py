"""Who cuts and merges, which parts are accepted, and which of them nobody needs any more.

Cuts and merges take no device: any executor does them, the one with the fewest first. They come in
the order of the queue, and what keeps a task from being granted keeps it from this as well.
"""

from collections import Counter
from collections.abc import Collection, Iterator
from typing import Final
from uuid import UUID

from pointsman.contracts.decided import Decided
from pointsman.contracts.events import (
    PartsGranted,
    TaskAccepted,
    TaskCancelled,
    TaskCompleted,
    TaskExpired,
    TaskFailed,
    TaskSplit,
)
from pointsman.contracts.leases import RunCompleted, RunSplit
from pointsman.contracts.message import BlobRef, Degradation, Delivery
from pointsman.contracts.parts import MergeWork, PartsWork, SplitWork
from pointsman.contracts.streams import part_id
from pointsman.scheduler.domain.devices import DeviceStatus
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.rounds.expiring import too_late
from pointsman.scheduler.domain.rounds.gates import Gates
from pointsman.scheduler.domain.tasks import OpenTask
from pointsman.scheduler.domain.why.words import named

AT_ONCE: Final = 4
"""Cuts and merges of one executor at a time: each holds a whole input in memory."""

WORK_S: Final = 60.0
"""For one cut or merge: the largest input is read and cut within a second, a slow disk may take
longer."""

PARTS_FAILED: Final = "parts_failed"
SOURCE: Final = "/pointsman/parts"
"""Of the tasks that are parts."""

_BY: Final = "pointsman"


def decide_parts(pool: Pool, gates: Gates, *, at: float, skip: Collection[UUID]) -> list[Decided]:
    """Leases to cut and to merge, and the end of tasks whose parts came to nothing.

    `skip` are tasks that this round has decided about.
    """
    desks, desk = _Desks(pool), pool.waiting.desk
    decided: list[Decided] = []
    seen: list[OpenTask] = []
    while desks.free and (head := desk.head()) is not None:
        task = pool.tasks[head[2]]
        # Granted tasks leave the desk when the grant is folded, not when it is decided.
        desk.discard(task.id)
        seen.append(task)
        if task.id not in skip and gates.task_refused(task) is None:
            event = _end(pool, task, at) or _granted(pool, task, desks, at)
            decided.append(_of(task, event))
    for task in seen:
        desk.push(task.id, task.key, task.position)
    return decided


def decide_completeness(pool: Pool, *, at: float, skip: Collection[UUID] = ()) -> Iterator[Decided]:
    """Parts that a log lacks whose end was cut off, and the end of parts without a whole."""
    for task_id, numbers in pool.parts.missing.items():
        whole = pool.tasks[task_id]
        for number in sorted(numbers):
            yield _accepted(pool, whole, number, at)
    for part in pool.parts.orphans.values():
        if part.id not in skip:
            yield _of(part, _unneeded(pool, part, at))


def decide_split(pool: Pool, task: OpenTask, outcome: RunSplit, *, at: float) -> Decided:
    """The input of a task was cut: its parts are accepted with it, or nothing is."""
    plan = task.plan
    if plan is None or task.lease is None:
        message = f"task {task.id} was not to be cut"
        raise LookupError(message)
    split = TaskSplit(
        at=at,
        applied_to=pool.applied_to,
        attempt=task.lease.attempt,
        executor=task.lease.executor,
        merge=plan.merge,
        parts=outcome.parts,
    )
    parts = tuple(
        _part(pool, task, number, payload, at)
        for number, payload in enumerate(outcome.parts, start=1)
    )
    return Decided(task.id, task.version, (split,), task.tenant, also=parts)


def decide_merged(pool: Pool, task: OpenTask, outcome: RunCompleted, *, at: float) -> TaskCompleted:
    """The results of the parts of a task have become one."""
    if task.parts is None:
        message = f"task {task.id} was not cut"
        raise LookupError(message)
    return TaskCompleted(
        at=at,
        applied_to=pool.applied_to,
        attempt=task.attempts,
        device="",
        variant="",
        result=outcome.result,
        queue_s=round(max(0.0, task.parts.began_at - task.arrival), 6),
        run_s=round(max(0.0, at - task.parts.began_at), 6),
        parts=task.parts.outcome,
    )


def split_work(task: OpenTask) -> SplitWork | None:
    """What the holder of a lease to cut is told; None if it is another lease."""
    lease, plan = task.lease, task.plan
    if lease is None or lease.work is not PartsWork.SPLIT or plan is None:
        return None
    return SplitWork(max_bytes=plan.max_bytes)


def merge_work(task: OpenTask) -> MergeWork | None:
    """What the holder of a lease to merge is told; None if it is another lease."""
    lease, parts = task.lease, task.parts
    if lease is None or lease.work is not PartsWork.MERGE or parts is None:
        return None
    return MergeWork(rule=parts.merge, parts=tuple(parts.ended[number] for number in parts.numbers))


class _Desks:
    """Executors with room for a cut or a merge; room that a round gives out is gone."""

    def __init__(self, pool: Pool) -> None:
        self._incarnations = {
            device.offer.executor: device.offer.incarnation
            for device in pool.devices.values()
            if device.status is not DeviceStatus.DETACHED
        }
        self._taken = Counter({name: pool.parts.desks[name] for name in self._incarnations})

    @property
    def free(self) -> list[str]:
        """Those with room."""
        return [name for name in self._incarnations if self._taken[name] < AT_ONCE]

    def take(self) -> tuple[str, str]:
        """Executor and incarnation of the one with the fewest; there must be a free one."""
        chosen = min(self.free, key=lambda name: (self._taken[name], name))
        self._taken[chosen] += 1
        return chosen, self._incarnations[chosen]


def _granted(pool: Pool, task: OpenTask, desks: _Desks, at: float) -> PartsGranted:
    executor, incarnation = desks.take()
    return PartsGranted(
        at=at,
        applied_to=pool.applied_to,
        attempt=task.attempts + 1,
        work=PartsWork.SPLIT if task.parts is None else PartsWork.MERGE,
        executor=executor,
        incarnation=incarnation,
        timeout_s=WORK_S,
    )


def _end(pool: Pool, task: OpenTask, at: float) -> TaskFailed | TaskExpired | None:
    """The end of a task that cannot be done in time, or of whose parts too few have a result."""
    plan, parts = task.plan, task.parts
    if parts is None:
        return too_late(pool, task, at)
    if plan is None or not parts.outcome.failed:
        return None
    outcome = parts.outcome
    if outcome.done and plan.partial:
        return None
    failed = named([f"{each.part} ({each.code})" for each in outcome.failed])
    return TaskFailed(
        at=at,
        applied_to=pool.applied_to,
        code=PARTS_FAILED,
        message=f"of {len(parts.payloads)} parts {len(outcome.failed)} have no result: {failed}",
        attempts=task.attempts,
    )


def _accepted(pool: Pool, whole: OpenTask, number: int, at: float) -> Decided:
    if whole.parts is None:
        message = f"task {whole.id} was not cut"
        raise LookupError(message)
    return _part(pool, whole, number, whole.parts.payloads[number - 1], at)


def _part(pool: Pool, whole: OpenTask, number: int, payload: BlobRef, at: float) -> Decided:
    asked = whole.accepted
    part = TaskAccepted(
        at=at,
        applied_to=pool.applied_to,
        pool=pool.name,
        tenant=asked.tenant,
        family=asked.family,
        priority_class=whole.priority_class,
        # Its place is that of the whole, which has waited already.
        key=whole.key,
        variants=asked.variants,
        payload=payload,
        message_id=f"{whole.id}/{number}",
        source=SOURCE,
        deadline=asked.deadline,
        boost_s=whole.boost_s,
        degradation=Degradation.SMALLER_MODEL,
        min_quality=asked.min_quality,
        max_attempts=asked.max_attempts,
        delivery=Delivery.QUEUED,
        parameters=asked.parameters,
        traceparent=asked.traceparent,
        correlation_id=asked.correlation_id,
        causation_id=str(whole.id),
        strict=asked.strict,
        parent=str(whole.id),
        part=number,
        band=asked.band,
        complexity=asked.complexity,
    )
    return Decided(part_id(whole.id, number), 0, (part,), asked.tenant)


def _unneeded(pool: Pool, part: OpenTask, at: float) -> TaskCancelled:
    return TaskCancelled(
        at=at,
        applied_to=pool.applied_to,
        by=_BY,
        reason=f"task {UUID(part.accepted.parent)}, of which it is a part, has ended",
        attempt=part.lease.attempt if part.lease is not None else 0,
    )


def _of(task: OpenTask, event: PartsGranted | TaskFailed | TaskExpired | TaskCancelled) -> Decided:
    return Decided(task.id, task.version, (event,), task.tenant)
