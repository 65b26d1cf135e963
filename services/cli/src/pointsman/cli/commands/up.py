"""`pointsman up`: the local stack in the foreground."""

import asyncio
import signal
from typing import Final

import typer

from pointsman.cli.failures import ExitCode
from pointsman.cli.hints import data_flag
from pointsman.cli.options import DEFAULT_DATA, Data, Output, run
from pointsman.cli.output import OutputFormat, Printer
from pointsman.cli.stack.plan import DEFAULT_TENANT, DeviceTerms, StackPlan
from pointsman.cli.stack.project import find_project
from pointsman.cli.stack.supervisor import Supervisor
from pointsman.cli.stack_options import (
    Attach,
    Devices,
    Memory,
    Mode,
    Noop,
    PolicyFile,
    Pools,
    Postgres,
    Processes,
    Standby,
    Tenants,
    Without,
    check_device_options,
    check_pool_options,
    check_stack_options,
    services_without,
    stack_errors,
)
from pointsman.contracts.device_mode import DeviceMode

app: Final = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def up(  # noqa: PLR0913 - one parameter per option
    *,
    data: Data = DEFAULT_DATA,
    devices: Devices = 1,
    pools: Pools = 1,
    triton: Attach = None,
    tenant: Tenants = None,
    noop: Noop = False,
    mode: Mode = DeviceMode.FIXED,
    memory: Memory = 0.0,
    policy: PolicyFile = None,
    without: Without = None,
    processes: Processes = False,
    standby: Standby = False,
    postgres: Postgres = None,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Start nats-server, Triton, the services and an executor, and keep them running.

    All services run in one process on a SQLite log, or with --processes each in its own, on
    PostgreSQL: nobody then waits for another, and a second scheduler can stand by.
    With --pools each pool has its scheduler, its executor and its devices, on one log.
    Everything listens on loopback. What dies is started again; Ctrl-C or SIGTERM stops
    everything (exit 0), and the next start on the same data directory goes on with its queue.
    """
    check_device_options(mode=mode, memory_mib=memory)
    check_stack_options(
        attach=triton or (),
        tenants=tenant or (),
        noop=noop,
        without=without or (),
        processes=processes,
        standby=standby,
        postgres=postgres,
    )
    check_pool_options(pools=pools, attach=triton or ())

    async def work(printer: Printer) -> ExitCode:
        if policy is not None:
            # Not before it is asked for: a supervisor stays small.
            from pointsman.cli.policy_files import read_policy_file  # noqa: PLC0415 - see above

            read_policy_file(policy)
        plan = StackPlan(
            data.absolute(),
            find_project(),
            devices=devices,
            pools=pools,
            attach=tuple(triton or ()),
            tenants=tuple(dict.fromkeys((DEFAULT_TENANT, *(tenant or ())))),
            noop=noop,
            terms=DeviceTerms(mode, memory),
            policy=policy.absolute() if policy is not None else None,
            services=services_without(without or ()),
            processes=processes,
            standby=standby,
            postgres=postgres,
        )
        with stack_errors():
            return await _up(plan, printer)

    run(output, work)


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
    flag = data_flag(plan.data)
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
