"""What operators ask of one task: to hold it, release it, or give it another place in the order.

All of it works on a task that waits and on one that runs: a running attempt goes on, and what was
asked for counts for the next one.
"""

from pointsman.contracts.commands import Done, Rejected
from pointsman.contracts.decided import Decided
from pointsman.contracts.events import RekeyKind, Steered, TaskHeld, TaskRekeyed, TaskReleased
from pointsman.contracts.message import PriorityClass
from pointsman.contracts.steering import BoostTask, HoldTask, MoveTask, ReleaseTask, TaskSteering
from pointsman.policy.order import operator_boost, steered_deadline
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.steering.agreed import Agreed, Steer
from pointsman.scheduler.domain.steering.places import places_of, where_it_counts
from pointsman.scheduler.domain.tasks import OpenTask


def decide_task_steering(pool: Pool, command: TaskSteering, *, at: float) -> Steer:
    """Take what an operator asks of a task that has no terminal event yet."""
    task = pool.tasks.get(command.task)
    if task is None:
        return Rejected(
            code="task_not_open",
            message=f"task {command.task} is not open in pool {pool.name}: it has ended, or was "
            "never accepted here",
            next=f"`pointsman task why {command.task}` tells what became of it",
        )
    match command:
        case HoldTask():
            return _hold(pool, task, command, at)
        case ReleaseTask():
            return _release(pool, task, command, at)
        case BoostTask():
            return _boost(pool, task, command, at)
        case MoveTask():
            return _move(pool, task, command, at)


def _hold(pool: Pool, task: OpenTask, command: HoldTask, at: float) -> Steer:
    if task.held:
        return Done(detail=f"it is held already by {task.held}")
    held = TaskHeld(at=at, applied_to=pool.applied_to, by=command.by, reason=command.reason)
    return _agreed(task, held, "held")


def _release(pool: Pool, task: OpenTask, command: ReleaseTask, at: float) -> Steer:
    if not task.held:
        return Done(detail="it is not held")
    released = TaskReleased(at=at, applied_to=pool.applied_to, by=command.by, reason=command.reason)
    return _agreed(task, released, "released")


def _boost(pool: Pool, task: OpenTask, command: BoostTask, at: float) -> Steer:
    window_s = pool.policy.windows[task.priority_class].due_s
    if command.boost_s > window_s:
        return Rejected(
            code="boost_out_of_range",
            message=f"{command.boost_s:.15g} s is more than the window of {task.priority_class} "
            f"work, {window_s:.15g} s",
            next=_less(task),
        )
    if command.boost_s == task.boost_s:
        return Done(detail=f"it is due {command.boost_s:g} s earlier already")
    rekeyed = _rekeyed(
        pool, task, command, RekeyKind.BOOST, task.priority_class, command.boost_s, at
    )
    detail = f"due {command.boost_s:g} s earlier than its class says"
    return _agreed(task, rekeyed, detail + where_it_counts(pool, task, rekeyed))


def _less(task: OpenTask) -> str:
    urgent = PriorityClass.INTERACTIVE
    if task.priority_class is urgent:
        return "boost it by less"
    return (
        f"boost it by less, or move it to a more urgent class: `pointsman task move {task.id} "
        f"--class {urgent} --reason ...`"
    )


def _move(pool: Pool, task: OpenTask, command: MoveTask, at: float) -> Steer:
    if command.priority_class is task.priority_class:
        return Done(detail=f"it is {task.priority_class} work already")
    boost_s = operator_boost(command.priority_class, task.boost_s, pool.policy.windows)
    rekeyed = _rekeyed(pool, task, command, RekeyKind.MOVE, command.priority_class, boost_s, at)
    detail = f"moved from {task.priority_class} to {command.priority_class}"
    return _agreed(task, rekeyed, detail + where_it_counts(pool, task, rekeyed))


def _rekeyed(
    pool: Pool,
    task: OpenTask,
    command: BoostTask | MoveTask,
    kind: RekeyKind,
    priority_class: PriorityClass,
    boost_s: float,
    at: float,
) -> TaskRekeyed:
    latest_start = None
    if task.deadline is not None:
        latest_start = task.deadline - pool.models.run_times_of(task.accepted.variants[0]).p90_s
    policy = pool.policy
    window = policy.windows[priority_class] if policy.event is not None else None
    key = steered_deadline(
        priority_class,
        arrival=task.arrival,
        boost_s=boost_s,
        latest_start=latest_start,
        windows=policy.windows,
    )
    return TaskRekeyed(
        at=at,
        applied_to=pool.applied_to,
        by=command.by,
        reason=command.reason,
        kind=kind,
        priority_class=priority_class,
        boost_s=boost_s,
        key=key,
        due_s=None if window is None else window.due_s,
        floor_s=None if window is None else window.floor_s,
        places=places_of(pool, task, key),
    )


def _agreed(task: OpenTask, event: Steered, detail: str) -> Agreed:
    if task.lease is not None:
        detail += f"; attempt {task.lease.attempt} goes on, this is for the next one"
    return Agreed(Decided(task.id, task.version, (event,), task.tenant), detail)
