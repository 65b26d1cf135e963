"""A real nats-server that runs infra/nats/server.conf, with a store and ports of its own."""

import asyncio
import http.client
import json
import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

from nats.aio.client import Client

from pointsman.runtime.nats_client import nats_client
from pointsman.runtime.servers import ServerProcess, find_nats_server
from pointsman.testing.waiting import wait_until
from tests.infra.server_conf import SERVER_CONF, expected_users, password_variable

STORE: Final = "/var/lib/nats"


@dataclass(frozen=True)
class ConfServer:
    """Where the server listens for clients, and its own page about itself."""

    url: str
    monitor: str
    passwords: Mapping[str, str]

    async def page(self, path: str) -> tuple[int, dict[str, Any]]:
        """Status and document of a page of the server's monitor."""
        host = self.monitor.removeprefix("http://")
        return await asyncio.to_thread(_get, host, path)

    @asynccontextmanager
    async def login(self, user: str) -> AsyncGenerator[tuple[Client, list[str]]]:
        """A connection of `user`, and what the server refused it."""
        refusals: list[str] = []

        async def note(error: Exception) -> None:
            refusals.append(str(error))

        nc = await nats_client(
            self.url,
            user=user,
            password=self.passwords[password_variable(user)],
            inbox_prefix=f"_INBOX_{user}",
            allow_reconnect=False,
            error_cb=note,
        )
        try:
            yield nc, refusals
        finally:
            await nc.close()


def some_passwords() -> dict[str, str]:
    """A different one for each variable of the file."""
    variables = [user.password for user in expected_users()]
    return {name: f"p{index}-of-a-test" for index, name in enumerate(variables)}


@asynccontextmanager
async def conf_server(tmp: Path) -> AsyncGenerator[ConfServer]:
    """Run the file as it is, but for the path of its store: the server lets no flag replace it."""
    conf = SERVER_CONF.read_text(encoding="utf-8")
    assert conf.count(STORE) == 1
    copy, ports, passwords = tmp / "server.conf", tmp / "ports", some_passwords()
    copy.write_text(conf.replace(STORE, str(tmp / "nats")), encoding="utf-8")
    ports.mkdir()
    flags = ("-a", "127.0.0.1", "-p", "-1", "-m", "-1", "--ports_file_dir", str(ports))
    process = await ServerProcess.spawn(
        [str(find_nats_server()), "-c", str(copy), *flags],
        log=tmp / "nats.log",
        environment=os.environ | passwords,
    )
    try:
        await wait_until(lambda: not process.alive or _announced(ports) is not None)
        announced = _announced(ports)
        assert announced is not None, process.log_tail()
        yield ConfServer(announced["nats"][0], announced["monitoring"][0], passwords)
    finally:
        await process.stop(5)


def _get(host: str, path: str) -> tuple[int, dict[str, Any]]:
    connection = http.client.HTTPConnection(host, timeout=10)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, cast("dict[str, Any]", json.loads(answer.read()))
    finally:
        connection.close()


def _announced(ports: Path) -> dict[str, list[str]] | None:
    for path in ports.glob("*.ports"):
        try:
            return cast("dict[str, list[str]]", json.loads(path.read_text(encoding="utf-8")))
        except ValueError:
            # The server writes the file in place, so that it can be seen half written.
            return None
    return None
