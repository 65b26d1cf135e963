"""`pointsman up`: the local stack in the foreground."""

import asyncio
import re
import signal
from pathlib import Path
from typing import Annotated, Final

import typer

from pointsman.cli.failures import CommandError, ExitCode
from pointsman.cli.options import DEFAULT_DATA, Data, Output, run
from pointsman.cli.output import OutputFormat, Printer
from pointsman.cli.stack.keeper import PartFailedError
from pointsman.cli.stack.plan import DEFAULT_TENANT, StackPlan
from pointsman.cli.stack.project import find_project
from pointsman.cli.stack.supervisor import Supervisor
from pointsman.contracts.subjects import TENANT_PATTERN
from pointsman.runtime.servers import ServerError

app: Final = typer.Typer(add_completion=False, rich_markup_mode=None)

_ENDPOINT: Final = re.compile(r"^grpc://[A-Za-z0-9_.\-\[\]:]+:\d{1,5}$")

Devices = Annotated[
    int, typer.Option("--devices", min=1, max=16, help="How many Triton servers to start.")
]
Attach = Annotated[
    list[str] | None,
    typer.Option("--triton", metavar="grpc://HOST:PORT", help="Use this Triton; start none."),
]
Tenants = Annotated[
    list[str] | None,
    typer.Option("--tenant", metavar="NAME", help="A tenant whose systems may send tasks."),
]
Noop = Annotated[
    bool,
    typer.Option("--noop", help="No Triton: a stand-in answers at once and runs no model."),
]


@app.command()
def up(
    *,
    data: Data = DEFAULT_DATA,
    devices: Devices = 1,
    triton: Attach = None,
    tenant: Tenants = None,
    noop: Noop = False,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Start nats-server, Triton, the services and an executor, and keep them running.

    Everything listens on loopback. What dies is started again; Ctrl-C stops everything, and the
    next start on the same data directory goes on with its queue.
    """
    plan = stack_plan(data, devices=devices, attach=triton or [], tenants=tenant or [], noop=noop)
    run(output, lambda printer: _up(plan, printer))


def stack_plan(
    data: Path, *, devices: int, attach: list[str], tenants: list[str], noop: bool
) -> StackPlan:
    """The plan that the options describe; raises `typer.BadParameter`."""
    for endpoint in attach:
        if not _ENDPOINT.match(endpoint):
            raise typer.BadParameter(f"{endpoint!r} is not grpc://HOST:PORT")
    for name in tenants:
        if not re.match(TENANT_PATTERN, name):
            raise typer.BadParameter(f"a tenant must match {TENANT_PATTERN}, {name!r} does not")
    if noop and attach:
        raise typer.BadParameter("--noop and --triton exclude each other")
    names = tuple(dict.fromkeys(tenants)) or (DEFAULT_TENANT,)
    return StackPlan(
        data.absolute(),
        find_project(),
        devices=devices,
        attach=tuple(attach),
        tenants=names,
        noop=noop,
    )


async def _up(plan: StackPlan, printer: Printer) -> ExitCode:
    printer.say(f"starting the stack in {plan.data}")
    supervisor = Supervisor(plan, printer.say)
    stopping = _stopping(supervisor, printer)
    starting = asyncio.ensure_future(supervisor.start())
    try:
        await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            starting.result()
            _introduce(plan, supervisor, printer)
            await asyncio.wait({stopping, supervisor.failure}, return_when=asyncio.FIRST_COMPLETED)
            if supervisor.failure.done():
                supervisor.failure.result()
    except ServerError as error:
        raise CommandError(
            str(error), code=error.code, exit_code=ExitCode.FAILURE, next_step=error.next_step
        ) from error
    except PartFailedError as error:
        raise CommandError(
            str(error),
            code=error.code,
            exit_code=ExitCode.FAILURE,
            next_step=f"read {error.log}, repair what it names and start again",
        ) from error
    finally:
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        await supervisor.stop()
    printer.say("stopped")
    return ExitCode.OK


def _stopping(supervisor: Supervisor, printer: Printer) -> "asyncio.Future[None]":
    """Resolved by the first signal; a second one gives up every grace period."""
    loop = asyncio.get_running_loop()
    stopping: asyncio.Future[None] = loop.create_future()

    def stop(name: str) -> None:
        if stopping.done():
            printer.say(f"{name} again: ending everything at once")
            supervisor.kill_all()
            return
        printer.say(f"{name}: stopping (again: at once)")
        stopping.set_result(None)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop, number.name)
    return stopping


def _introduce(plan: StackPlan, supervisor: Supervisor, printer: Printer) -> None:
    record = supervisor.record
    flag = "" if plan.data == DEFAULT_DATA.absolute() else f" --data {plan.data}"
    printer.say("the stack is ready. In another terminal:")
    printer.say(f"  pointsman task submit summarize --file README.md --wait{flag}")
    printer.say(f"  pointsman task ls{flag}")
    printer.say(f"  pointsman device ls{flag}")
    if not printer.for_people:
        printer.item(
            {
                "data": str(record.data),
                "pid": record.pid,
                "nats_url": record.nats_url,
                "nats_version": record.nats_version,
                "triton_version": record.triton_version,
                "devices": [device.device for device in record.devices],
                "parts": {name: part.pid for name, part in record.parts.items()},
            }
        )
