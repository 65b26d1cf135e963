"""`pointsman policy`: what the decisions of the pools are set to."""

from pathlib import Path
from typing import Annotated, Final

import msgspec
import typer

from pointsman.cli.client import StackClient, connected
from pointsman.cli.failures import ExitCode
from pointsman.cli.group import ANY, named_pools
from pointsman.cli.options import DEFAULT_DATA, Data, Output, run
from pointsman.cli.output import OutputFormat, Printer, clock, column
from pointsman.cli.policy_files import read_policy_file
from pointsman.contracts.events import PolicySet
from pointsman.contracts.queries import ListEvents
from pointsman.contracts.recorded import Recorded
from pointsman.contracts.streams import stream_id
from pointsman.policy.parameters import DEFAULTS, UNTOLD, Parameters, config_of, from_figures

app: Final = typer.Typer(add_completion=False, rich_markup_mode=None, no_args_is_help=True)

_COLUMNS: Final = (
    column("pool"),
    column("parameter"),
    column("value"),
    column("default"),
    column("differs"),
)
_OF_A_FILE: Final = _COLUMNS[1:]
_MOST: Final = 1_000

_decoder: Final = msgspec.json.Decoder(PolicySet)


@app.callback()
def policy() -> None:
    """The parameters that decide: as a pool has them, and as a file would set them."""


@app.command()
def show(
    *,
    pool: Annotated[str, typer.Option(help="Only this pool.")] = ANY,
    data: Data = DEFAULT_DATA,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Every parameter of each pool, from the log.

    `up --policy FILE` sets them: what was set is recorded when a scheduler begins to lead.
    """

    async def work(printer: Printer) -> ExitCode:
        rows: list[dict[str, object]] = []
        async with connected(data) as client:
            for name in named_pools(client, pool):
                event = await _set_last(client, name)
                printer.say(_said(name, event))
                parameters = UNTOLD if event is None else from_figures(event.figures)
                rows += ({"pool": name, **row} for row in _rows(parameters))
        printer.rows(rows, _COLUMNS)
        return ExitCode.OK

    run(output, work)


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="TOML with what differs from the defaults.")],
    *,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Read a policy file as the scheduler would, and say what it sets; nothing is changed."""

    async def work(printer: Printer) -> ExitCode:
        parameters = read_policy_file(file)
        printer.say(f"{file} is a policy; decisions would name it {config_of(parameters)}")
        printer.rows(_rows(parameters), _OF_A_FILE)
        return ExitCode.OK

    run(output, work)


async def _set_last(client: StackClient, pool: str) -> PolicySet | None:
    asked = ListEvents(limit=_MOST, stream=stream_id("policy", pool))
    found = await client.ask("events", asked, list[Recorded], pool=pool)
    return _decoder.decode(found[-1].data) if found else None


def _said(pool: str, event: PolicySet | None) -> str:
    if event is None:
        return f"pool {pool}: nothing is recorded, so {config_of(UNTOLD)}"
    source = event.source or "the defaults"
    return f"pool {pool}: {event.config} from {source}, since {clock(event.at)} UTC"


def _rows(parameters: Parameters) -> list[dict[str, object]]:
    defaults = DEFAULTS.figures()
    return [
        {
            "parameter": name,
            "value": value,
            "default": defaults[name],
            "differs": value != defaults[name],
        }
        for name, value in parameters.figures().items()
    ]
