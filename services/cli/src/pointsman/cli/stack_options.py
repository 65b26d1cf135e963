"""What commands that start a stack have in common: options, and the errors of starting one."""

import re
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Final

import typer

from pointsman.cli.failures import CommandError, ExitCode
from pointsman.cli.remembered import checked_tenant
from pointsman.cli.stack.accounts import SCHEDULER, WATCHERS
from pointsman.cli.stack.keeper import PartFailedError
from pointsman.contracts.device_mode import DeviceMode
from pointsman.runtime.servers import ServerError

_ENDPOINT: Final = re.compile(r"^grpc://[A-Za-z0-9_.\-\[\]:]+:\d{1,5}$")

Devices = Annotated[
    int, typer.Option("--devices", min=1, max=16, help="How many Triton servers to start.")
]
Pools = Annotated[
    int,
    typer.Option("--pools", min=1, max=8, help="Pools of the group; --devices is for each."),
]
Attach = Annotated[
    list[str] | None,
    typer.Option("--triton", metavar="grpc://HOST:PORT", help="Use this Triton; start none."),
]
Tenants = Annotated[
    list[str] | None,
    typer.Option(
        "--tenant",
        metavar="NAME",
        help="A further tenant whose systems may send tasks (repeatable).",
    ),
]
Noop = Annotated[
    bool, typer.Option("--noop", help="No Triton: a stand-in answers at once and runs no model.")
]
Mode = Annotated[
    DeviceMode,
    typer.Option(
        "--mode",
        help="Who decides what the devices have loaded: their engines (fixed), or the scheduler, "
        "one model at a time (dedicated) or as many as memory holds (shared).",
    ),
]
Memory = Annotated[
    float,
    typer.Option(
        "--memory", min=0, metavar="MIB", help="What models may take of each device's memory."
    ),
]
PolicyFile = Annotated[
    Path | None,
    typer.Option(
        "--policy",
        metavar="FILE",
        help="TOML with what differs from the default policy (see policy show).",
    ),
]
Without = Annotated[
    list[str] | None,
    typer.Option(
        "--without", metavar="SERVICE", help=f"Leave out one of {', '.join(WATCHERS)} (repeatable)."
    ),
]
Processes = Annotated[
    bool,
    typer.Option("--processes", help="A process for each service, with the log in PostgreSQL."),
]
Standby = Annotated[
    bool,
    typer.Option("--standby", help="A second scheduler that takes over (with --processes)."),
]
Postgres = Annotated[
    str | None,
    typer.Option(
        "--postgres",
        metavar="DSN",
        envvar="POINTSMAN_DATABASE_URL",
        show_envvar=True,
        help="Use this PostgreSQL; start none (with --processes). Give the DSN in the environment: "
        "everybody on this machine can read arguments, and it holds a password.",
    ),
]


def check_stack_options(
    *,
    attach: Sequence[str] = (),
    tenants: Sequence[str] = (),
    noop: bool = False,
    without: Sequence[str] = (),
    processes: bool = False,
    standby: bool = False,
    postgres: str | None = None,
) -> None:
    """Raises `typer.BadParameter`."""
    if standby and not processes:
        raise typer.BadParameter("--standby needs --processes")
    if postgres is not None and not processes:
        raise typer.BadParameter(
            "--postgres (or POINTSMAN_DATABASE_URL) needs --processes: one process for all "
            "services keeps its log in a SQLite file"
        )
    for name in without:
        if name not in WATCHERS:
            raise typer.BadParameter(f"--without takes one of {', '.join(WATCHERS)}")
    for endpoint in attach:
        if not _ENDPOINT.match(endpoint):
            raise typer.BadParameter(f"{endpoint!r} is not like grpc://HOST:PORT")
    for name in tenants:
        checked_tenant(name)
    if noop and attach:
        raise typer.BadParameter("--noop and --triton exclude each other")


def check_pool_options(*, pools: int, attach: Sequence[str]) -> None:
    """Raises `typer.BadParameter`."""
    if attach and pools > 1:
        raise typer.BadParameter(
            "--triton and --pools exclude each other: which server is whose is not said"
        )


def check_device_options(*, mode: DeviceMode, memory_mib: float) -> None:
    """Raises `typer.BadParameter`."""
    if mode is DeviceMode.SHARED and not memory_mib:
        raise typer.BadParameter("--mode shared needs --memory: how much the models may take")
    if mode is DeviceMode.FIXED and memory_mib:
        raise typer.BadParameter("--memory needs --mode dedicated or shared")


def services_without(left_out: Sequence[str]) -> tuple[str, ...]:
    """The services of a stack; the scheduler cannot be left out."""
    return (SCHEDULER, *(name for name in WATCHERS if name not in left_out))


@contextmanager
def stack_errors() -> Generator[None]:
    """Turn what keeps a stack from running into a `CommandError`."""
    try:
        yield
    except ServerError as error:
        raise CommandError(
            str(error), code=error.code, exit_code=ExitCode.FAILURE, next_step=error.next_step
        ) from error
    except PartFailedError as error:
        raise CommandError(
            str(error),
            code=error.code,
            exit_code=ExitCode.FAILURE,
            next_step=error.next_step,
        ) from error
    except OSError as error:
        # One that names a file is about the directory; others are about connections.
        if error.filename is None:
            raise
        raise CommandError(
            str(error),
            code="data_directory_unusable",
            exit_code=ExitCode.FAILURE,
            next_step="repair what it names, or choose another directory with --data",
        ) from error
