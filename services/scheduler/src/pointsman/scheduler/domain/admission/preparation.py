"""What the context service adds to a waiting task: context, or the result of an identical one."""

from typing import Final

from pointsman.contracts.commands import PrepareTask, Rejected
from pointsman.contracts.decided import Decided
from pointsman.contracts.events import TaskCompleted, TaskPrepared
from pointsman.contracts.message import BlobRef
from pointsman.contracts.task_states import TaskState
from pointsman.scheduler.domain.admission.oversize import fits
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.tasks import OpenTask

TOO_LONG: Final = "with its context it is longer than what its variants take"


def decide_prepare(pool: Pool, command: PrepareTask, *, at: float) -> Decided | Rejected | None:
    """Take what was prepared; None when the task waits for nothing any more.

    A task that was granted meanwhile or has ended goes on as it is; one whose time for preparation
    is over but that found no slot yet still takes it.
    """
    task = pool.tasks.get(command.task)
    waits = task is not None and (bool(task.awaits) or at < task.arrival)
    if (
        task is None
        or not task.needs_preparation
        or task.prepared is not None
        or task.attempts
        or task.state is not TaskState.QUEUED
        # A result that is there already is of no use before the task may run.
        or (waits and command.cached is not None)
    ):
        return None
    unwanted = _unwanted(task, command)
    if unwanted is not None:
        return unwanted
    event: TaskPrepared | TaskCompleted
    if command.cached is not None:
        event = _completed(task, command, command.cached, pool, at)
    else:
        event = _prepared(task, command, pool, at)
    return Decided(task.id, task.version, (event,), task.tenant)


def _completed(
    task: OpenTask, command: PrepareTask, result: BlobRef, pool: Pool, at: float
) -> TaskCompleted:
    return TaskCompleted(
        at=at,
        applied_to=pool.applied_to,
        attempt=0,
        device="",
        variant=command.cached_variant,
        result=result,
        queue_s=round(max(0.0, at - task.accepted.at), 6),
        run_s=0.0,
        cached_from=command.cached_from,
    )


def _prepared(task: OpenTask, command: PrepareTask, pool: Pool, at: float) -> TaskPrepared:
    if command.payload is not None and not fits(pool.models, task, command.payload.size):
        # It was judged by its input alone, and what is to be cut is cut with its context.
        return TaskPrepared(at=at, applied_to=pool.applied_to, note=TOO_LONG)
    return TaskPrepared(
        at=at,
        applied_to=pool.applied_to,
        payload=command.payload,
        assembly=command.assembly,
        kept=command.kept,
        dropped=command.dropped,
        tokens=command.tokens,
        note=command.note,
    )


def _unwanted(task: OpenTask, command: PrepareTask) -> Rejected | None:
    """What the caller of the task did not ask for, if anything."""
    accepted = task.accepted
    wrong = None
    if command.cached is not None:
        if not accepted.cache:
            wrong = "it did not ask for the result of an identical task"
        elif not command.cached_from:
            wrong = "the cached result does not say whose it is"
        elif command.cached_variant and command.cached_variant not in accepted.variants:
            wrong = f"variant {command.cached_variant!r} is not admissible"
    elif command.payload is not None and accepted.conversation is None:
        wrong = "it belongs to no conversation"
    if wrong is None:
        return None
    return Rejected(
        code="preparation_not_wanted",
        message=f"task {task.id} cannot be prepared so: {wrong}",
        next="prepare what the task asked for; without, it runs on its input alone",
    )
