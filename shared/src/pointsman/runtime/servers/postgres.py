"""A PostgreSQL of our own: on loopback, checksums on, one owner of the databases."""

import asyncio
import signal
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from pointsman.runtime.servers.errors import ServerError
from pointsman.runtime.servers.postgres_failure import PORT_TAKEN, cause_of, start_error
from pointsman.runtime.servers.postgres_files import ADMIN, CLUSTER_NAME, PostgresFiles
from pointsman.runtime.servers.postgres_program import PostgresProgram, find_postgres
from pointsman.runtime.servers.process import ServerAccount, ServerProcess

if TYPE_CHECKING:
    import asyncpg

OWNER: Final = "pointsman"
DATABASE: Final = "pointsman"
MAX_CONNECTIONS: Final = 100

_HOST: Final = "127.0.0.1"
_POLL_S: Final = 0.01
_PORT_RETRY_S: Final = 0.2
# A crash may have left a lot of its journal to be read again.
_READY_S: Final = 120.0
_GRACE_S: Final = 20.0
_CONNECT_S: Final = 10

# What makes commits durable (fsync, synchronous_commit, full_page_writes) stays on by default.
_SETTINGS: Final = {
    "listen_addresses": _HOST,
    "unix_socket_directories": "",
    "cluster_name": CLUSTER_NAME,
    "max_connections": str(MAX_CONNECTIONS),
    "shared_buffers": "32MB",
    "max_wal_size": "256MB",
    # Nobody replicates from here.
    "max_wal_senders": "0",
    "max_logical_replication_workers": "0",
    "jit": "off",
}


class LocalPostgres:
    """One PostgreSQL on 127.0.0.1 whose files all lie in ``data`` (made with mode 0700).

    ``port`` 0 chooses one; every later start of the same object uses that port again, so that
    clients find it. ``start`` may be called again after ``stop``, ``kill`` or a crash. As whom it
    runs when root starts it is told in ``postgres_files``.
    """

    def __init__(
        self, data: Path, port: int = 0, *, program: PostgresProgram | None = None
    ) -> None:
        self._files = PostgresFiles(data)
        self._port = port
        self._port_is_given = port != 0
        self._ran = False
        self._program = program
        self._process: ServerProcess | None = None

    @property
    def dsn(self) -> str:
        """Of the database for the log, with the password of its owner; complete after `start`."""
        return self.dsn_of(DATABASE)

    @property
    def admin_dsn(self) -> str:
        """For whoever may end sessions of others; complete after `start`."""
        return self._dsn(ADMIN, self._files.passwords().admin, "postgres")

    @property
    def port(self) -> int:
        return self._port

    @property
    def version(self) -> str:
        """Version of the server; empty before the first start."""
        return self._program.version if self._program else ""

    @property
    def pid(self) -> int:
        return self._started().pid

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.alive

    @property
    def log(self) -> Path:
        return self._files.log

    def dsn_of(self, database: str) -> str:
        """Of one of the owner's databases, with the password; complete after `start`."""
        return self._dsn(OWNER, self._files.passwords().owner, database)

    async def start(self) -> None:
        """Start the server and return when it answers; a running one is left as it is.

        Raises:
            ServerMissingError, ServerTooOldError: see ``find_postgres``.
            ServerError: the files are of another version, in use, or without their passwords.
            ServerStartError: ``postgres_port_taken``, ``postgres_disk_full`` or
                ``postgres_start_failed``: it ended, or did not answer within 120 s.
        """
        if self.alive:
            return
        self._files.claim()
        try:
            account = self._files.account()
            if self._program is None:
                self._program = await find_postgres(account)
            await self._files.prepare(self._program, account)
            async with asyncio.timeout(_READY_S):
                while True:
                    if await self._attempt(self._program, account):
                        break
                    await asyncio.sleep(_PORT_RETRY_S)
                await self._make_database()
        except TimeoutError as error:
            self.kill()
            message = f"PostgreSQL did not answer within {_READY_S:g} s."
            raise start_error(message, self.log, self._log_tail()) from error
        except BaseException:
            self.kill()
            raise
        self._ran = True

    async def create_database(self, name: str) -> str:
        """Make an empty database that belongs to the owner; gives its DSN."""
        async with self._admin() as admin:
            await admin.execute(f'CREATE DATABASE "{name}" OWNER "{OWNER}"')
        return self.dsn_of(name)

    async def drop_database(self, name: str) -> None:
        """Remove a database, and end the sessions in it."""
        async with self._admin() as admin:
            await admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    async def wait(self) -> int:
        """Wait until the server has ended; gives its exit status."""
        return await self._started().wait()

    async def stop(self, grace_s: float = _GRACE_S) -> None:
        """End the sessions, write everything and end; let the directory go."""
        if self._process is not None:
            await self._process.stop(grace_s, signal.SIGINT)
        self._files.release()

    def kill(self) -> None:
        """End the server as ``kill -9`` does; ``wait`` tells when it is gone."""
        if self._process is not None:
            self._process.kill()

    async def _attempt(self, program: PostgresProgram, account: ServerAccount | None) -> bool:
        """Start once; False = its port is taken by somebody who may let it go."""
        if not self._port_is_given and not self._ran:
            self._port = _free_port()
        settings = {**_SETTINGS, "port": str(self._port)}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with self._files.named(self._files.cluster, account) as directory:
            self._process = await self._files.spawn(
                [str(program.postgres), "-D", directory.name, *options],
                account,
                *directory.open_files,
            )
        while self._process.alive:
            if self._ready():
                return True
            await asyncio.sleep(_POLL_S)
        tail = self._log_tail()
        if cause_of(tail) == PORT_TAKEN and (self._ran or not self._port_is_given):
            return False
        raise start_error("PostgreSQL ended during its start.", self.log, tail)

    def _ready(self) -> bool:
        """The server says so in the last line of its own file."""
        try:
            lines = (self._files.cluster / "postmaster.pid").read_text(encoding="utf-8").split("\n")
        except (FileNotFoundError, UnicodeDecodeError):
            return False
        return lines[0] == str(self.pid) and "ready" in (line.strip() for line in lines[7:])

    async def _make_database(self) -> None:
        password = self._files.passwords().owner
        async with self._admin() as admin:
            if not await admin.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", OWNER):
                await admin.execute(f"CREATE ROLE \"{OWNER}\" LOGIN PASSWORD '{password}'")
            if not await admin.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", DATABASE):
                await admin.execute(f'CREATE DATABASE "{DATABASE}" OWNER "{OWNER}"')

    @asynccontextmanager
    async def _admin(self) -> AsyncGenerator["asyncpg.Connection"]:
        # The driver takes 6 MB, and most who could start a server never do.
        import asyncpg  # noqa: PLC0415 - see above

        connection = cast(
            "asyncpg.Connection", await asyncpg.connect(self.admin_dsn, timeout=_CONNECT_S)
        )
        try:
            yield connection
        finally:
            await connection.close()

    def _dsn(self, user: str, password: str, database: str) -> str:
        return f"postgresql://{user}:{password}@{_HOST}:{self._port}/{database}?sslmode=disable"

    def _log_tail(self) -> str:
        return self._process.log_tail() if self._process else ""

    def _started(self) -> ServerProcess:
        if self._process is None:
            message = "PostgreSQL was not started."
            raise ServerError(
                message, code="postgres_not_started", next_step="Await start() first."
            )
        return self._process


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        return int(probe.getsockname()[1])
