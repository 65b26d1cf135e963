"""A nats-server of our own: on loopback, every write synced, one user per service."""

import asyncio
import contextlib
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final, cast

from pointsman.runtime.servers.errors import ServerError, ServerStartError
from pointsman.runtime.servers.nats_config import NatsUser, nats_config, write_nats_config
from pointsman.runtime.servers.nats_program import check_nats_server, find_nats_server
from pointsman.runtime.servers.process import ServerProcess, kill_leftovers

DEFAULT_MAX_FILE_STORE_BYTES: Final = 6 * 1024**3

_POLL_S: Final = 0.01
_PORT_RETRY_S: Final = 0.2
_READY_S: Final = 20.0
_GRACE_S: Final = 5.0


class LocalNats:
    """One nats-server on 127.0.0.1 whose files all lie in ``data`` (made with mode 0700).

    ``port`` 0 lets the server choose; every later start of the same object uses that port again, so
    that clients find it. ``start`` may be called again after ``stop``, ``kill`` or a crash.
    """

    def __init__(
        self,
        data: Path,
        users: Sequence[NatsUser],
        port: int = 0,
        *,
        name: str = "pointsman",
        binary: Path | None = None,
        max_file_store_bytes: int = DEFAULT_MAX_FILE_STORE_BYTES,
        unauthenticated_for_tests: bool = False,
    ) -> None:
        if not users and not unauthenticated_for_tests:
            message = "A nats-server without users would let every local process in."
            raise ServerError(
                message, code="nats_users_missing", next_step="Pass at least one NatsUser."
            )
        self.name = name
        self._data = data.absolute()
        self._users = tuple(users)
        self._port = port
        self._binary = binary
        self._max_file_store_bytes = max_file_store_bytes
        self._process: ServerProcess | None = None
        self._version = ""

    @property
    def url(self) -> str:
        """Address without credentials; complete after the first start."""
        return f"nats://127.0.0.1:{self._port}"

    @property
    def port(self) -> int:
        return self._port

    @property
    def version(self) -> str:
        """Version of the running server; empty before the first start."""
        return self._version

    @property
    def pid(self) -> int:
        return self._started().pid

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.alive

    @property
    def log(self) -> Path:
        return self._data / "nats-server.log"

    async def start(self) -> None:
        """Start the server and return when it accepts clients; a running one is left as it is.

        Raises:
            ServerMissingError: see ``find_nats_server`` and ``check_nats_server``.
            ServerTooOldError: see ``check_nats_server``.
            ServerStartError: ``nats_start_failed``; it ended, or was not ready within 20 s.
        """
        if self.alive:
            return
        binary = self._binary or find_nats_server()
        await check_nats_server(binary)
        self._data.mkdir(mode=0o700, parents=True, exist_ok=True)
        config = self._data / "nats-server.conf"
        # A server of a parent that was killed would share the store with ours.
        await asyncio.to_thread(kill_leftovers, str(config), programs=[binary.name])
        try:
            async with asyncio.timeout(_READY_S):
                while True:
                    if await self._attempt(binary, config):
                        return
                    await asyncio.sleep(_PORT_RETRY_S)
        except TimeoutError as error:
            message = f"nats-server did not accept clients within {_READY_S:g} s."
            raise await self._failed(message) from error
        except asyncio.CancelledError:
            self.kill()
            raise

    async def wait(self) -> int:
        """Wait until the server has ended; gives its exit status."""
        return await self._started().wait()

    async def stop(self, grace_s: float = _GRACE_S) -> None:
        if self._process is not None:
            await self._process.stop(grace_s)

    def kill(self) -> None:
        """End the server as ``kill -9`` does; ``wait`` tells when it is gone."""
        if self._process is not None:
            self._process.kill()

    async def _attempt(self, binary: Path, config: Path) -> bool:
        """Start once; False = its port is taken, perhaps by a client that connected to itself."""
        write_nats_config(
            config,
            nats_config(
                name=self.name,
                data=self._data,
                port=self._port,
                users=self._users,
                max_file_store_bytes=self._max_file_store_bytes,
            ),
        )
        (self._data / "ports").mkdir(mode=0o700, exist_ok=True)
        for stale in (self._data / "ports").iterdir():
            stale.unlink()
        self._process = await ServerProcess.spawn([str(binary), "-c", str(config)], log=self.log)
        while self._process.alive:
            if await self._ready():
                return True
            await asyncio.sleep(_POLL_S)
        if self._port and "address already in use" in self._process.log_tail():
            return False
        raise await self._failed("nats-server ended during its start.")

    async def _ready(self) -> bool:
        port = self._announced_port()
        if port is None:
            return False
        info = await _read_info(port)
        if info is None:
            return False
        self._port = port
        self._version = str(info["version"])
        return True

    def _announced_port(self) -> int | None:
        """Read the file in which the server says where it listens."""
        for path in (self._data / "ports").glob(f"*_{self.pid}.ports"):
            # The server writes the file in place, so that it can be seen half written.
            with contextlib.suppress(ValueError):
                urls = cast("dict[str, list[str]]", json.loads(path.read_text()))["nats"]
                match = re.search(r":(\d+)$", urls[0])
                return int(match[1]) if match else None
        return None

    async def _failed(self, message: str) -> ServerStartError:
        process = self._started()
        await process.stop(0)
        next_step = f"Read {self.log}, repair what it names and start again."
        return ServerStartError(
            message, code="nats_start_failed", next_step=next_step, log_tail=process.log_tail()
        )

    def _started(self) -> ServerProcess:
        if self._process is None:
            message = "nats-server was not started."
            raise ServerError(message, code="nats_not_started", next_step="Await start() first.")
        return self._process


async def _read_info(port: int) -> dict[str, object] | None:
    """Connect as a client would and read the server's greeting."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return None
    try:
        line = await reader.readline()
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
    if not line.startswith(b"INFO "):
        return None
    return cast("dict[str, object]", json.loads(line.removeprefix(b"INFO ")))
