"""The tasks that waited: in the queues of their classes, or for something else."""

from collections import Counter
from collections.abc import Sequence
from typing import Final, TypedDict

from pointsman.contracts.task_states import TaskState
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.tasks import ClassId, OpenTask

HEADS: Final = 3
"""Tasks that are shown of each class."""


class Head(TypedDict):
    """One of the first tasks of a class, by its key."""

    task: str
    tenant: str
    priority_class: str
    key: float
    due_in_s: float
    age_s: float
    attempts: int


class QueueClass(TypedDict):
    """Tasks of one family that admit the same variants."""

    family: str
    variants: list[str]
    waiting: int
    oldest_s: float
    devices: list[str]
    """Those that have one of its variants."""
    tenants: dict[str, int]
    heads: list[Head]


class Queue(TypedDict):
    """All that wait, each counted once."""

    tasks: int
    in_classes: int
    held: int
    """By an operator."""
    for_tasks: int
    """For tasks that they depend on."""
    for_a_time: int
    """For a retry, for their preparation, or because they may not run earlier."""
    classes: list[QueueClass]
    """Those with the earliest key first."""


def queue_of(pool: Pool, at: float) -> Queue:
    """What waits in a pool at a moment."""
    classes: dict[ClassId, list[OpenTask]] = {}
    others: Counter[str] = Counter()
    waiting = [task for task in pool.tasks.values() if task.state is TaskState.QUEUED]
    for task in waiting:
        reason = _elsewhere(task, at)
        others[reason] += 1
        if not reason:
            classes.setdefault(task.class_id, []).append(task)
    described = [_class(pool, each, tasks, at) for each, tasks in classes.items()]
    return {
        "tasks": len(waiting),
        "in_classes": others[""],
        "held": others["held"],
        "for_tasks": others["tasks"],
        "for_a_time": others["time"],
        "classes": sorted(described, key=lambda each: each["heads"][0]["key"]),
    }


def _elsewhere(task: OpenTask, at: float) -> str:
    if task.held:
        return "held"
    if task.awaits or task.unmet:
        return "tasks"
    return "time" if task.retry_at > at else ""


def _class(pool: Pool, class_id: ClassId, tasks: Sequence[OpenTask], at: float) -> QueueClass:
    family, variants = class_id
    wanted = set(variants)
    first = sorted(tasks, key=lambda task: (task.key, task.position))[:HEADS]
    return {
        "family": family,
        "variants": list(variants),
        "waiting": len(tasks),
        "oldest_s": round(at - min(task.arrival for task in tasks), 6),
        "devices": [name for name, each in pool.devices.items() if wanted & set(each.slots_of)],
        "tenants": dict(Counter(task.tenant for task in tasks).most_common()),
        "heads": [_head(task, at) for task in first],
    }


def _head(task: OpenTask, at: float) -> Head:
    return {
        "task": str(task.id),
        "tenant": task.tenant,
        "priority_class": task.priority_class.value,
        "key": task.key,
        "due_in_s": round(task.key - at, 6),
        "age_s": round(at - task.arrival, 6),
        "attempts": task.attempts,
    }
