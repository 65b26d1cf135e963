"""Commands of operators: who asks, why, and what he is told."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Final
from uuid import uuid4

import msgspec
import typer

from pointsman.cli.author import author
from pointsman.cli.client import StackClient, connected
from pointsman.cli.failures import ExitCode, InvalidOptionError
from pointsman.cli.group import named_pools, pool_of_device, pool_of_task, require_tenant
from pointsman.cli.options import run
from pointsman.cli.output import Document, OutputFormat, Printer
from pointsman.cli.stack.accounts import SCHEDULER
from pointsman.cli.submitting import check_tenant
from pointsman.contracts.commands import Done
from pointsman.contracts.events import ScopeKind
from pointsman.contracts.steering import (
    MAX_LIMIT,
    NO_LIMIT,
    BoostTask,
    DrainDevice,
    HoldTask,
    LimitModel,
    LoadModel,
    MoveTask,
    PauseScope,
    ReleaseTask,
    ResumeScope,
    SetTenant,
    SteeringCommand,
    UndrainDevice,
    UnloadModel,
)

Reason = Annotated[str, typer.Option("--reason", help="Stands in the log with your name.")]
IfReason = Annotated[str | None, typer.Option("--reason", help="Stands in the log.")]
"""Of a command that need not say why."""

MAX_REASON_CHARS: Final = 1_000


def said(reason: str) -> dict[str, str]:
    """What every command carries: a new id, who asks, and why; raises `InvalidOptionError`."""
    return {"command_id": str(uuid4()), "by": author(), "reason": checked_reason(reason)}


def checked_reason(reason: str | None, *, most: int = MAX_REASON_CHARS) -> str:
    """Empty if none was given; raises `InvalidOptionError` for one that says nothing."""
    if reason is None:
        return ""
    if not reason.strip():
        raise InvalidOptionError("--reason is empty: it stands in the log, for whoever asks why")
    if len(reason) > most:
        raise InvalidOptionError(f"--reason has {len(reason)} characters, at most {most} are taken")
    return reason


def operate(
    make: Callable[[], SteeringCommand],
    shown: Document,
    data: Path,
    output: OutputFormat,
    *,
    before: Callable[[StackClient], Awaitable[None]] | None = None,
) -> None:
    """Run a command of an operator; `make` and `before` may raise `CommandError`."""

    async def work(printer: Printer) -> ExitCode:
        command = make()
        async with connected(data) as client:
            if before is not None:
                await before(client)
            await _steer(printer, client, command, shown)
        return ExitCode.OK

    run(output, work)


def operate_scope(
    make: Callable[[], SteeringCommand],
    kind: ScopeKind,
    name: str | None,
    data: Path,
    output: OutputFormat,
) -> None:
    """Pause or resume what the kind and the name say; as `operate`."""
    operate(
        make,
        {"kind": kind.value, "name": name},
        data,
        output,
        before=lambda client: _require_scope(client, kind, name),
    )


def limit_of(text: str, option: str) -> int:
    """A bound as it was typed, `none` takes it away; raises `InvalidOptionError`."""
    if text == "none":
        return NO_LIMIT
    if not (text.isascii() and text.isdigit()) or int(text) > MAX_LIMIT:
        raise InvalidOptionError(
            f"{option} {text!r} is neither `none` nor a number from 0 to {MAX_LIMIT}"
        )
    return int(text)


async def _require_scope(client: StackClient, kind: ScopeKind, name: str | None) -> None:
    """Raises `CommandError`; all but tenants the leaders know."""
    if kind is ScopeKind.TENANT and name is not None:
        await require_tenant(client, name)


def scope_of(kind: ScopeKind, name: str) -> str:
    """The name of what is paused or resumed; raises `InvalidOptionError`."""
    if kind is ScopeKind.TENANT:
        check_tenant("NAME", name)
    elif not name:
        raise InvalidOptionError(f"name the {kind} that is meant")
    return name


async def _steer(
    printer: Printer, client: StackClient, command: SteeringCommand, shown: Document
) -> None:
    """Send a command to the leaders that it concerns and print what they did.

    The pools before one that refuses have taken the command.
    """
    verb = _verb(command)
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


def _verb(command: SteeringCommand) -> str:
    match command:
        case HoldTask() | ReleaseTask() | BoostTask() | MoveTask():
            return "steer_task"
        case PauseScope() | ResumeScope() | LimitModel():
            return "steer_pool"
        case DrainDevice() | UndrainDevice() | LoadModel() | UnloadModel():
            return "steer_device"
        case SetTenant():
            return "set_tenant"


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
