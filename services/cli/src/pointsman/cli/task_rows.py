"""A task as commands show it, and waiting for its end."""

import asyncio
from collections.abc import Callable
from typing import Final
from uuid import UUID

from pointsman.cli.client import StackClient
from pointsman.cli.failures import CommandError, ExitCode
from pointsman.cli.feed import FeedBell
from pointsman.cli.group import ask_owner
from pointsman.cli.hints import at_data
from pointsman.cli.output import Column, Document, clock, column, plain, seconds
from pointsman.contracts.queries import TaskRow
from pointsman.contracts.task_states import TERMINAL


def _state(row: Document) -> str:
    state = plain(row.get("state"))
    return f"{state} (held)" if row.get("held") else state


COLUMNS: Final = (
    column("task"),
    column("tenant"),
    column("family"),
    column("class", "priority_class"),
    Column("state", _state),
    column("accepted (UTC)", "accepted_at", clock),
    column("waited", "queue_s", seconds),
    column("ran", "run_s", seconds),
    column("model", "variant"),
    column("device"),
    column("pool"),
    column("attempts"),
    column("code"),
)

_TERMINAL: Final = frozenset(state.value for state in TERMINAL)
_LOOK_AGAIN_S: Final = 0.5


async def find_task(client: StackClient, task: UUID) -> TaskRow:
    """Raises `CommandError`, `no_such_task` among others."""
    return await ask_owner(client, "task", task, TaskRow)


def ended(row: TaskRow) -> bool:
    """Whether the task has its terminal event."""
    return row.state in _TERMINAL


async def wait_for_end(
    client: StackClient,
    bell: FeedBell,
    task: UUID,
    *,
    timeout_s: float,
    say: Callable[[str], None],
) -> TaskRow:
    """The task once it has ended; `bell` must listen already.

    Raises `CommandError` with exit status `TIMEOUT` after `timeout_s`. Whoever interrupts the
    waiting is told how to go on.
    """
    way_on = f"it goes on: pointsman task watch {task} (or end it: pointsman task cancel {task})"
    try:
        async with asyncio.timeout(timeout_s):
            while True:
                row = await _row_if_known(client, task)
                if row is not None and ended(row):
                    return row
                await bell.wait(_LOOK_AGAIN_S)
    except TimeoutError:
        raise CommandError(
            f"task {task} has not ended within {seconds(timeout_s)}",
            code="timeout",
            exit_code=ExitCode.TIMEOUT,
            next_step=way_on,
        ) from None
    except asyncio.CancelledError:
        # The terminal has echoed the key, and a text may stand there without its end.
        say(f"\ntask {task} has not ended: {at_data(way_on, client.record.data)}")
        raise


async def _row_if_known(client: StackClient, task: UUID) -> TaskRow | None:
    """The view follows the log with a small delay, so a new task may not be in it yet."""
    try:
        return await find_task(client, task)
    except CommandError as error:
        if error.exit_code is not ExitCode.NOT_FOUND:
            raise
        return None
