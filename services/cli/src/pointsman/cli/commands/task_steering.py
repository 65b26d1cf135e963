"""`pointsman task hold|release|boost|move`: an operator's hand on one task."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from pointsman.cli.client import StackClient
from pointsman.cli.failures import CommandError, ExitCode
from pointsman.cli.options import DEFAULT_DATA, Data, Output
from pointsman.cli.output import OutputFormat
from pointsman.cli.steering import Reason, operate, said
from pointsman.cli.task_options import TaskId
from pointsman.cli.task_rows import ended, find_task
from pointsman.contracts.message import PriorityClass
from pointsman.contracts.steering import BoostTask, HoldTask, MoveTask, ReleaseTask, TaskSteering


def hold(
    task_id: TaskId,
    *,
    reason: Reason,
    data: Data = DEFAULT_DATA,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Grant a task no more until it is released; it keeps its place, its deadline goes on."""
    _steer(task_id, lambda: HoldTask(**said(reason), task=task_id), data, output)


def release(
    task_id: TaskId,
    *,
    reason: Reason,
    data: Data = DEFAULT_DATA,
    output: Output = OutputFormat.TABLE,
) -> None:
    """End the hold of a task."""
    _steer(task_id, lambda: ReleaseTask(**said(reason), task=task_id), data, output)


def boost(
    task_id: TaskId,
    seconds: Annotated[
        float, typer.Argument(min=0, help="At most the window of its class; 0: none.")
    ],
    *,
    reason: Reason,
    data: Data = DEFAULT_DATA,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Make a task due earlier than its class says, in place of any earlier boost."""
    _steer(task_id, lambda: BoostTask(**said(reason), task=task_id, boost_s=seconds), data, output)


def move(
    task_id: TaskId,
    *,
    priority_class: Annotated[
        PriorityClass, typer.Option("--class", help="How urgent it is from now on.")
    ],
    reason: Reason,
    data: Data = DEFAULT_DATA,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Give a task the window of another priority class, from its arrival on."""

    def move_there() -> MoveTask:
        return MoveTask(**said(reason), task=task_id, priority_class=priority_class)

    _steer(task_id, move_there, data, output)


def _steer(task: UUID, make: Callable[[], TaskSteering], data: Path, output: OutputFormat) -> None:
    async def require_open(client: StackClient) -> None:
        row = await find_task(client, task)
        if ended(row):
            raise CommandError(
                f"there is nothing to steer: task {row.task} is {row.state}",
                code="task_ended",
                exit_code=ExitCode.CONFLICT,
                next_step=f"see how it ended: pointsman task why {row.task}",
            )

    operate(make, {"task": str(task)}, data, output, before=require_open)
