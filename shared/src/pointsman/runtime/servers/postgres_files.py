"""The files of a local PostgreSQL, and as whom its programs run on them.

PostgreSQL refuses to run as root. Started by root, its programs become the owner of the files: user
``nobody`` for new files. ``nobody`` may usually not enter the directories above, which are for
their owner alone, and stay so: on Linux the programs are handed the already open directory and name
it ``/proc/self/fd/<n>``, which no directory above has a say in. Where there is no ``/proc``, the
directories above have to let everybody through. Ordinary users own the files and run the programs.
"""

import asyncio
import contextlib
import json
import os
import pwd
import secrets
import shutil
import sys
import time
from collections.abc import Generator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

import psutil

from pointsman.runtime.file_lock import FileInUseError, FileLock
from pointsman.runtime.servers.errors import ServerError, ServerMissingError
from pointsman.runtime.servers.postgres_failure import IN_USE, start_error
from pointsman.runtime.servers.postgres_program import PostgresProgram
from pointsman.runtime.servers.process import ServerAccount, ServerProcess

ADMIN: Final = "postgres"
CLUSTER_NAME: Final = "pointsman"
"""In the command line and the title of every process of a local server."""

_UNPRIVILEGED: Final = "nobody"
_LEFTOVER_WAIT_S: Final = 5.0
_POLL_S: Final = 0.01
# The messages of the programs are read by us, so they have to be in English.
_ENVIRONMENT: Final = {"LC_ALL": "C", "PATH": os.defpath}


@dataclass(frozen=True, slots=True)
class Passwords:
    """Of the administrator and of the owner of the databases."""

    admin: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    owner: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)


@dataclass(frozen=True, slots=True)
class NamedDirectory:
    """A directory under a name that the programs can use while they hold `open_files`."""

    name: str
    open_files: tuple[int, ...] = ()


class PostgresFiles:
    """Everything below ``data``: ``cluster`` is the server's, the rest is ours."""

    def __init__(self, data: Path) -> None:
        self.data = data.absolute()
        self.cluster = self.data / "cluster"
        self.log = self.data / "postgres.log"
        self._lock: FileLock | None = None

    def claim(self) -> None:
        """Until `release`, nobody else starts a server here.

        Raises:
            ServerError: ``postgres_data_in_use``.
        """
        if self._lock is not None:
            return
        self.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            self._lock = FileLock(self.data / "postgres")
        except FileInUseError as error:
            raise _in_use(self.data, error.pid) from error

    def release(self) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def account(self) -> ServerAccount | None:
        """As whom the programs run; None: as we do.

        Raises:
            ServerMissingError: ``postgres_account_missing``.
        """
        if os.geteuid() != 0:
            return None
        with contextlib.suppress(FileNotFoundError):
            status = self.cluster.stat()
            if status.st_uid != 0:
                return ServerAccount(status.st_uid, status.st_gid)
        try:
            unprivileged = pwd.getpwnam(_UNPRIVILEGED)
        except KeyError as error:
            message = f"PostgreSQL does not run as root, and there is no user {_UNPRIVILEGED!r}."
            raise ServerMissingError(
                message, code="postgres_account_missing", next_step="Run as an ordinary user."
            ) from error
        return ServerAccount(unprivileged.pw_uid, unprivileged.pw_gid)

    def passwords(self) -> Passwords:
        """Raises `ServerError`: ``postgres_passwords_missing``."""
        path = self.data / "passwords.json"
        try:
            return Passwords(**json.loads(path.read_text(encoding="utf-8")))
        except (FileNotFoundError, ValueError, TypeError) as error:
            message = f"{path} is missing or damaged, and nobody can log in without it."
            raise ServerError(
                message,
                code="postgres_passwords_missing",
                next_step="Restore this file from a backup of its directory.",
            ) from error

    async def prepare(self, program: PostgresProgram, account: ServerAccount | None) -> None:
        """Make the files, or check those that are there, and end what is left of earlier servers.

        Raises:
            ServerError: ``postgres_data_version``, or ``postgres_data_in_use``.
            ServerStartError: ``initdb`` failed; its code tells why.
        """
        version = self.cluster / "PG_VERSION"
        if not version.exists():
            await self._make(program, account)
        found = version.read_text(encoding="ascii").strip()
        if found != str(program.major):
            message = f"{self.cluster} was written by PostgreSQL {found}, here is {program.major}."
            raise ServerError(
                message,
                code="postgres_data_version",
                next_step=f"Use PostgreSQL {found}, or convert the directory with pg_upgrade.",
            )
        await asyncio.to_thread(self._end_leftovers)

    @contextlib.contextmanager
    def named(
        self, path: Path, account: ServerAccount | None, flags: int = os.O_DIRECTORY
    ) -> Generator[NamedDirectory]:
        """`path` as the programs can reach it; see the top of this file."""
        if account is None or sys.platform != "linux":
            yield NamedDirectory(str(path))
            return
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | flags)
        try:
            yield NamedDirectory(f"/proc/self/fd/{descriptor}", (descriptor,))
        finally:
            os.close(descriptor)

    async def spawn(
        self, command: list[str], account: ServerAccount | None, *open_files: int
    ) -> ServerProcess:
        """Start one of the programs; what it says goes to `log`."""
        return await ServerProcess.spawn(
            command, log=self.log, environment=_ENVIRONMENT, account=account, pass_fds=open_files
        )

    async def _make(self, program: PostgresProgram, account: ServerAccount | None) -> None:
        """Make the files beside their place first, so that half of them is never taken for all."""
        new, secret = self.data / "cluster.new", self.data / "password.new"
        await asyncio.to_thread(shutil.rmtree, new, ignore_errors=True)
        secret.unlink(missing_ok=True)
        passwords = Passwords()
        _write(self.data / "passwords.json", json.dumps(asdict(passwords)) + "\n")
        _write(secret, passwords.admin)
        new.mkdir(mode=0o700)
        if account is not None:
            for each in (new, secret):
                os.chown(each, account.uid, account.gid)
        try:
            await self._initdb(program, account, new, secret)
        finally:
            secret.unlink()
        new.rename(self.cluster)
        _sync(self.data)

    async def _initdb(
        self, program: PostgresProgram, account: ServerAccount | None, new: Path, secret: Path
    ) -> None:
        with self.named(new, account) as directory, self.named(secret, account, 0) as password:
            process = await self.spawn(
                [
                    str(program.initdb), "--pgdata", directory.name, "--username", ADMIN,
                    f"--pwfile={password.name}", "--auth-host=scram-sha-256", "--auth-local=reject",
                    "--data-checksums", "--encoding=UTF8", "--locale=C", "--no-instructions",
                ],
                account, *directory.open_files, *password.open_files,
            )  # fmt: skip
        try:
            status = await process.wait()
        finally:
            process.kill()
        if status != 0:
            message = f"initdb ended with status {status}."
            raise start_error(message, self.log, process.log_tail())

    def _end_leftovers(self) -> None:
        """End the processes of a server whose parent died, and forget its process id.

        With the directory claimed and nobody at work in it, the id belongs to a stranger.
        """
        left: list[psutil.Process] = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.name().startswith("postgres") and Path(process.cwd()) == self._real:
                    if CLUSTER_NAME not in " ".join(process.cmdline()):
                        raise _in_use(self.data, process.pid)
                    process.kill()
                    left.append(process)
        deadline = time.monotonic() + _LEFTOVER_WAIT_S
        # Whoever inherited them may never ask for their status, so a zombie counts as gone.
        while any(_at_work(process) for process in left) and time.monotonic() < deadline:
            time.sleep(_POLL_S)
        (self.cluster / "postmaster.pid").unlink(missing_ok=True)

    @property
    def _real(self) -> Path:
        return self.cluster.resolve()


def _at_work(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _in_use(data: Path, pid: int | None) -> ServerError:
    holder = "another process" if pid is None else f"process {pid}"
    return ServerError(
        f"{data} is in use by {holder}.",
        code=IN_USE,
        next_step="Stop it first, or choose another directory.",
    )


def _write(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
