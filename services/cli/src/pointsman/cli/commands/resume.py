"""`pointsman resume`: grant again what was paused."""

from typing import Annotated, Final

import typer

from pointsman.cli.options import DEFAULT_DATA, Data, Output
from pointsman.cli.output import OutputFormat
from pointsman.cli.steering import Reason, operate_scope, said, scope_of
from pointsman.contracts.events import ScopeKind
from pointsman.contracts.steering import ResumeScope

app: Final = typer.Typer(add_completion=False, rich_markup_mode=None, no_args_is_help=True)


@app.command()
def resume(
    kind: Annotated[ScopeKind, typer.Argument(help="What was paused.")],
    name: Annotated[str, typer.Argument(help="Its name.")],
    *,
    reason: Reason,
    data: Data = DEFAULT_DATA,
    output: Output = OutputFormat.TABLE,
) -> None:
    """Grant a paused scope again; `pointsman pause` shows what is paused."""

    def command() -> ResumeScope:
        return ResumeScope(**said(reason), kind=kind, name=scope_of(kind, name))

    operate_scope(command, kind, name, data, output)
