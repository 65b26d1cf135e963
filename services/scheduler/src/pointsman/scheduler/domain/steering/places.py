"""Where a task stands among the waiting tasks of its class, and where another key puts it."""

from pointsman.contracts.events import TaskRekeyed
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.tasks import OpenTask
from pointsman.scheduler.domain.why.words import moment


def place_of(pool: Pool, task: OpenTask, key: float) -> int | None:
    """Its place with a key, from 1; None: it stands in no queue. Looks at each task of the class.

    Whose turn it is depends on its tenant as well; inside a tenant, the place decides.
    """
    queue = pool.waiting.classes.get(task.class_id)
    if queue is None or task not in queue:
        return None
    mine = key, task.number
    return 1 + sum((other.key, other.number) < mine for other in queue if other is not task)


def places_of(pool: Pool, task: OpenTask, key: float) -> tuple[int, int] | None:
    """Its place as it stands and with another key."""
    before, after = place_of(pool, task, task.key), place_of(pool, task, key)
    return None if before is None or after is None else (before, after)


def where_it_counts(pool: Pool, task: OpenTask, event: TaskRekeyed) -> str:
    """What another key does to its place, as the end of a sentence."""
    if event.places is not None:
        old, new = event.places
        moved = f"goes from {old} to {new}" if old != new else f"stays {new}"
        return f"; its place in the line of its class {moved}"
    if task.parts is not None:
        return "; its parts keep their places, this is for their merge"
    if task.held:
        return "; it is held, this counts from its release on"
    if task.awaits:
        return "; it waits for other tasks, this counts when they have completed"
    if task.retry_at > event.at and task.lease is None and task not in pool.waiting:
        return f"; it stands in no line before {moment(task.retry_at)} UTC, this counts then"
    return ""
