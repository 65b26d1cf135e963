"""Commands of operators: who asks, why, and what he is told."""

import getpass
from typing import Annotated
from uuid import uuid4

import msgspec
import typer

from pointsman.cli.client import StackClient
from pointsman.cli.group import named_pools, pool_of_device, pool_of_task
from pointsman.cli.output import Document, Printer
from pointsman.cli.stack.accounts import SCHEDULER
from pointsman.contracts.commands import Done
from pointsman.contracts.events import ScopeKind
from pointsman.contracts.steering import (
    BoostTask,
    DrainDevice,
    HoldTask,
    LoadModel,
    MoveTask,
    PauseScope,
    ReleaseTask,
    ResumeScope,
    SteeringCommand,
    UndrainDevice,
    UnloadModel,
)

Reason = Annotated[str, typer.Option("--reason", help="Stands in the log with your name.")]


def said(reason: str) -> dict[str, str]:
    """What every command carries: a new id, who asks, and why."""
    return {"command_id": str(uuid4()), "by": f"cli:{getpass.getuser()}", "reason": reason}


async def steer(
    printer: Printer, client: StackClient, verb: str, command: SteeringCommand, shown: Document
) -> None:
    """Send a command to the leaders that it concerns and print what they did.

    Raises `CommandError`; the pools before that have taken the command.
    """
    pools = await _pools(client, command)
    details: list[str] = []
    for pool in pools:
        # A repetition is known by its id in the whole group.
        own = f"{command.command_id}-{pool}" if len(pools) > 1 else command.command_id
        asked = msgspec.structs.replace(command, command_id=own)
        answer = await client.command(SCHEDULER, verb, asked, pool=pool)
        detail = answer.detail if isinstance(answer, Done) else ""
        details.append(f"pool {pool}: {detail}" if len(pools) > 1 else detail)
    detail = "; ".join(details)
    printer.item({**shown, "detail": detail}, detail)


async def _pools(client: StackClient, command: SteeringCommand) -> tuple[str, ...]:
    """The pool of a task or a device, or all of the group."""
    match command:
        case HoldTask() | ReleaseTask() | BoostTask() | MoveTask():
            return (await pool_of_task(client, command.task),)
        case DrainDevice() | UndrainDevice():
            return (await pool_of_device(client, command.device),)
        case LoadModel() | UnloadModel() if command.device:
            return (await pool_of_device(client, command.device),)
        case LoadModel():
            # On some device of any pool; the leader of the first chooses among its own.
            return (client.record.pool,)
        case PauseScope() | ResumeScope() if command.kind is ScopeKind.POOL:
            return named_pools(client, command.name)
        case _:
            return client.record.pools
