"""`pointsman device attach`: a further device for a running stack."""

from collections.abc import Sequence
from itertools import count
from typing import Annotated

import typer

from pointsman.cli.client import connected
from pointsman.cli.failures import CommandError, ExitCode
from pointsman.cli.options import DEFAULT_DATA, Data, Output, run
from pointsman.cli.output import OutputFormat, Printer
from pointsman.cli.stack.guests import guest
from pointsman.cli.stack.plan import NOOP, DeviceTerms
from pointsman.cli.stack.record import DeviceRecord
from pointsman.cli.stack_options import Memory, Mode, check_device_options, check_stack_options
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

    Its executor runs below this command. At the end its calls may finish, and the device takes no
    more; attaching it again brings it back.
    """
    check_device_options(mode=mode, memory_mib=memory)
    if endpoint != NOOP:
        check_stack_options(attach=[endpoint])

    async def work(printer: Printer) -> ExitCode:
        async with connected(data.absolute()) as client:
            rows = await client.ask("devices", AskPool(), list[DeviceRow])
        kind = "noop" if endpoint == NOOP else "attached"
        device = DeviceRecord(_name(name, rows), endpoint, kind)
        async with guest(client.record, device, DeviceTerms(mode, memory)) as joined:
            await joined.until_ready(client.record, device, printer.say)
            printer.say(f"{device.device} is attached by {joined.name}; Ctrl-C detaches it")
            if not printer.for_people:
                printer.item({"device": device.device, "executor": joined.name})
            await joined.until_ended()
        return ExitCode.FAILURE

    run(output, work)


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
