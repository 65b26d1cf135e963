"""`pointsman device attach`: a further device for a running stack."""

import asyncio
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from pointsman.cli.client import connected, find_stack
from pointsman.cli.failures import CommandError, ExitCode
from pointsman.cli.options import DEFAULT_DATA, Data, Output, run
from pointsman.cli.output import OutputFormat, Printer
from pointsman.cli.stack.guests import LOOK_EVERY_S, guest
from pointsman.cli.stack.plan import NOOP, DeviceTerms
from pointsman.cli.stack.record import DeviceRecord, StackRecord
from pointsman.cli.stack_options import (
    Memory,
    Mode,
    check_device_options,
    check_stack_options,
    stack_errors,
)
from pointsman.contracts.device_mode import DeviceMode
from pointsman.contracts.queries import AskPool, DeviceRow


def attach(
    endpoint: Annotated[
        str,
        typer.Argument(metavar="grpc://HOST:PORT", help="A Triton, or `noop:` for the stand-in."),
    ],
    *,
    name: Annotated[str, typer.Option(help="Of the device; without it the next attached-N.")] = "",
    mode: Mode = DeviceMode.FIXED,
    memory: Memory = 0.0,
    data: Data = DEFAULT_DATA,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Give a running stack a further device, until Ctrl-C or SIGTERM.

    Its executor runs below this command, which starts it again when it ends, and joins the stack
    again when that was stopped and started. At the end its calls may finish, and the device takes
    no more; attaching it again brings it back.
    """
    check_device_options(mode=mode, memory_mib=memory)
    if endpoint != NOOP:
        check_stack_options(attach=[endpoint])

    async def work(printer: Printer) -> ExitCode:
        async with connected(data.absolute()) as client:
            rows = await client.ask("devices", AskPool(), list[DeviceRow])
        kind = "noop" if endpoint == NOOP else "attached"
        device = DeviceRecord(_name(name, rows), endpoint, kind)
        with stack_errors():
            await _stay(client.record, device, DeviceTerms(mode, memory), printer)

    run(output, work)


async def _stay(
    record: StackRecord, device: DeviceRecord, terms: DeviceTerms, printer: Printer
) -> NoReturn:
    told = printer.for_people
    while True:
        async with guest(record, device, terms, printer.say) as joined:
            await joined.until_ready(device, printer.say)
            printer.say(f"{device.device} is attached by {joined.name}; Ctrl-C detaches it")
            if not told:
                printer.item({"device": device.device, "executor": joined.name})
                told = True
            await joined.until_stack_ends()
        printer.say(f"the stack has ended; {device.device} joins the next one on this directory")
        record = await _next_stack(record.data)


async def _next_stack(data: Path) -> StackRecord:
    """The stack that runs on a directory, as soon as one takes work; raises `CommandError`."""
    while True:
        try:
            record = find_stack(data)
        except CommandError as error:
            if error.exit_code is not ExitCode.UNREACHABLE:
                raise
        else:
            if record.ready:
                return record
        await asyncio.sleep(LOOK_EVERY_S)


def _name(wanted: str, rows: Sequence[DeviceRow]) -> str:
    serving = {row.device for row in rows if row.state == "ready"}
    if wanted in serving:
        raise CommandError(
            f"there is a device {wanted} already",
            code="device_exists",
            exit_code=ExitCode.CONFLICT,
            next_step="choose another --name",
        )
    return wanted or next(
        free for number in count() if (free := f"attached-{number}") not in serving
    )
