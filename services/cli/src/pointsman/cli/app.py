"""The command line: which command lives in which module."""

import importlib
import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Annotated, Any, Final, NamedTuple, cast

import typer
from typer.core import TyperCommand, TyperGroup

from pointsman.cli.output import Printer
from pointsman.cli.wrong_usage import asked_output, help_of, wrong_usage

_EPILOG: Final = (
    "Exit status: 0 ok, 1 failure, 2 wrong usage, 3 not found, 4 not permitted, 5 conflict, "
    "6 unreachable (is the stack running?), 7 the task did not complete (--wait, --result), "
    "8 timeout."
)


class _Entry(NamedTuple):
    module: str
    help: str


# In the order of a first visit.
_COMMANDS: Final = {
    "up": _Entry("up", "Start the local stack and keep it running."),
    "demo": _Entry("demo", "Send 60 real texts through a stack of its own."),
    "doctor": _Entry("doctor", "Check what the stack needs of this machine."),
    "task": _Entry("task", "Submit tasks, follow them, ask why."),
    "route": _Entry("route", "What family, band and device a task would get."),
    "schedule": _Entry("schedule", "Have tasks made at the due times of cron expressions."),
    "events": _Entry("events", "Read the log."),
    "dead": _Entry("dead", "Messages that were set aside."),
    "model": _Entry("model", "Model variants and where they are loaded."),
    "device": _Entry("device", "Devices of the pools."),
    "pool": _Entry("pool", "Pools of the group, with their leaders."),
    "policy": _Entry("policy", "What the decisions of the pools are set to."),
    "tenant": _Entry("tenant", "Weights and limits of tenants."),
    "pause": _Entry("pause", "Grant nothing of a model, family, tenant or the pool."),
    "resume": _Entry("resume", "Grant again what was paused."),
    "snapshot": _Entry("snapshot", "Devices, tasks, quality and predictions in one view."),
    "alert": _Entry("alert", "Alerts that stand, and those that are over."),
    "degradation": _Entry("degradation", "The ladder: where it stands and why; hold it."),
    "feedback": _Entry("feedback", "Rate results; see what was learned from it."),
    "project": _Entry("project", "Projects: their decisions and preferences."),
    "conversation": _Entry("conversation", "Conversations, now or at any past position."),
    "log": _Entry("log", "Move ended tasks out of the log into an archive."),
    "backup": _Entry("backup", "Copy the log and the blobs, also while the stack runs."),
    "restore": _Entry("restore", "Make a data directory from a backup, as it was then."),
    "verify": _Entry("verify", "Check that the log is still what was written."),
    "state": _Entry("state", "The pool as it was at any moment, from the log alone."),
    "replay": _Entry("replay", "Make every recorded decision again, from the log alone."),
    "simulate": _Entry("simulate", "Run recorded or made-up tasks under a policy, no device."),
    "whatif": _Entry("whatif", "The recorded load under another policy, no device."),
    "bench": _Entry("bench", "Measure the log and the path of a task."),
}


class CommandTable(TyperGroup):
    """Imports a command's module when it is used: start-up time is felt at every call."""

    def main(self, args: Sequence[str] | None = None, *rest: Any, **options: Any) -> Any:  # noqa: ANN401 - Typer's signature
        """Run the command that the words name; what the parser refuses is said as by a command."""
        words = list(sys.argv[1:] if args is None else args)
        try:
            status = super().main(words, *rest, **{**options, "standalone_mode": False})
        except typer.TyperException as error:
            status = _refuse(error, words)
        sys.exit(status)

    def list_commands(self, ctx: object) -> list[str]:  # noqa: ARG002 - Typer's signature
        """Names in the order of the help page."""
        return list(_COMMANDS)

    def get_command(
        self,
        ctx: object,  # noqa: ARG002 - Typer's signature
        cmd_name: str,
    ) -> TyperCommand | TyperGroup | None:
        entry = _COMMANDS.get(cmd_name)
        if entry is None:
            return None
        module = importlib.import_module(f"pointsman.cli.commands.{entry.module}")
        command = cast("TyperCommand | TyperGroup", typer.main.get_command(module.app))
        command.name = cmd_name
        command.short_help = entry.help
        return command


def _refuse(error: typer.TyperException, words: Sequence[str]) -> int:
    printer, page = Printer(asked_output(words)), help_of(error)
    if page is None:
        printer.error(wrong_usage(error))
    else:
        printer.say(page)
    return error.exit_code


app: Final = typer.Typer(
    cls=CommandTable,
    name="pointsman",
    help="Control plane for AI work on your own GPUs: every decision is an event in one log.",
    epilog=_EPILOG,
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _say_version(asked: bool) -> None:  # noqa: FBT001 - Typer's callback shape
    if asked:
        typer.echo(version("pointsman"))
        raise typer.Exit


@app.callback()
def _root(
    *,
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_say_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Options that stand before any command."""
