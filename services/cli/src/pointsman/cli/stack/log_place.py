"""Where the log of a data directory is kept; a stack that looked elsewhere would find none."""

import json
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Final, cast

from pointsman.cli.failures import CommandError, ExitCode

LAYOUT: Final = 2
"""Version of what lies where; a newer release that changes it counts it up."""

_SQLITE_LAYOUT: Final = 1
_MARK: Final = "layout.json"
_SQLITE: Final = "sqlite"
POSTGRESQL: Final = "postgresql"


@dataclass(frozen=True, slots=True)
class LogPlace:
    """The kind of store; `server` names a PostgreSQL that was given, without its password."""

    kind: str = _SQLITE
    server: str = ""

    def __str__(self) -> str:
        if self.kind == _SQLITE:
            return "its own SQLite file"
        return f"PostgreSQL at {self.server}" if self.server else "its own PostgreSQL"

    @property
    def options(self) -> str:
        """What to start the stack with."""
        if self.kind == _SQLITE:
            return "without --processes"
        server = "--postgres of this address" if self.server else "no --postgres"
        return f"with --processes and {server}"


SQLITE: Final = LogPlace()
OWN_POSTGRESQL: Final = LogPlace(POSTGRESQL)


def check_place(data: Path, asked: LogPlace) -> bool:
    """Whether the directory has its mark already.

    Raises `CommandError`: `directory_newer`, or `log_elsewhere`; and `OSError` or `ValueError` when
    the mark cannot be read.
    """
    found = read_place(data)
    if found is not None and found != asked:
        raise _elsewhere(data / _MARK, found, asked)
    return found is not None


def read_place(data: Path) -> LogPlace | None:
    """What the mark of a directory says, None without one; raises as `check_place` does."""
    mark = data / _MARK
    try:
        written = json.loads(mark.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise ValueError(f"{mark} is damaged: {error}") from error
    if not isinstance(written, dict):
        raise ValueError(f"{mark} is damaged: it holds no object")  # noqa: TRY004 - content, not type
    document = cast("dict[str, object]", written)
    layout = document.get("layout")
    if not isinstance(layout, int) or layout > LAYOUT:
        raise CommandError(
            f"{data} was written by Pointsman {document.get('pointsman')} (layout "
            f"{layout}), this is {version('pointsman')} (layout {LAYOUT})",
            code="directory_newer",
            exit_code=ExitCode.CONFLICT,
            next_step="upgrade Pointsman, or choose another directory with --data",
        )
    return LogPlace(str(document.get("log", _SQLITE)), str(document.get("server", "")))


def mark_place(data: Path, place: LogPlace) -> None:
    """Remember it; earlier releases, which know SQLite only, refuse every other place."""
    document: dict[str, object] = {"layout": _SQLITE_LAYOUT, "pointsman": version("pointsman")}
    if place != SQLITE:
        document |= {"layout": LAYOUT, "log": place.kind, "server": place.server}
    (data / _MARK).write_text(json.dumps(document) + "\n", encoding="utf-8")


def _elsewhere(mark: Path, found: LogPlace, asked: LogPlace) -> CommandError:
    moved = f"; if the database was moved, correct `server` in {mark}" if found.server else ""
    return CommandError(
        f"the log of {mark.parent} is in {found}; a start on {asked} would begin an empty one",
        code="log_elsewhere",
        exit_code=ExitCode.CONFLICT,
        next_step=(f"start it {found.options}, or choose another directory with --data{moved}"),
    )
