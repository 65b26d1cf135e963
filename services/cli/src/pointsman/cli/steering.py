"""Commands of operators: who asks, why, and what he is told."""

import getpass
from typing import Annotated
from uuid import uuid4

import typer

from pointsman.cli.client import StackClient
from pointsman.cli.output import Document, Printer
from pointsman.cli.stack.accounts import SCHEDULER
from pointsman.contracts.commands import Done
from pointsman.contracts.steering import SteeringCommand

Reason = Annotated[str, typer.Option("--reason", help="Stands in the log with your name.")]


def said(reason: str) -> dict[str, str]:
    """What every command carries: a new id, who asks, and why."""
    return {"command_id": str(uuid4()), "by": f"cli:{getpass.getuser()}", "reason": reason}


async def steer(
    printer: Printer, client: StackClient, verb: str, command: SteeringCommand, shown: Document
) -> None:
    """Send a command to the pool's leader and print what it did; raises `CommandError`."""
    answer = await client.command(SCHEDULER, verb, command, pool=client.record.pool)
    detail = answer.detail if isinstance(answer, Done) else ""
    printer.item({**shown, "detail": detail}, detail)
