import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from pydantic import SecretStr

from pointsman.runtime.broker_errors import (
    AuthenticationFailedError,
    BrokerTooOldError,
    BrokerUnreachableError,
    InboxUnusableError,
    PermissionDeniedError,
)
from pointsman.runtime.connection import connect, probe
from pointsman.runtime.servers import LocalNats, NatsUser
from pointsman.runtime.settings import NatsSettings
from pointsman.testing.servers import nats_server
from pointsman.testing.waiting import wait_until

PASSWORD = "correct-horse-battery"  # noqa: S105 - of a server that lives for one test
CLERK = NatsUser(
    "clerk", PASSWORD, publish=("pm.cmd.>", "_INBOX_clerk.>"), subscribe=("_INBOX_clerk.>",)
)


@contextlib.asynccontextmanager
async def guarded_server(tmp_path: Path, *users: NatsUser) -> AsyncGenerator[LocalNats]:
    async with nats_server(tmp_path, users=users) as server:
        yield server


def login(server: LocalNats) -> NatsSettings:
    return NatsSettings(url=server.url, user=CLERK.name, password=SecretStr(PASSWORD))


@contextlib.asynccontextmanager
async def old_server(version: str) -> AsyncGenerator[str]:
    """Greet as a nats-server of that version does; nothing more."""

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        info = {"server_id": "old", "version": version, "headers": True, "max_payload": 1048576}
        writer.write(b"INFO " + json.dumps(info).encode() + b"\r\n")
        while line := await reader.readline():
            if line == b"PING\r\n":
                writer.write(b"PONG\r\n")
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with server:
        yield f"nats://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_a_client_reconnects_after_the_server_was_killed(
    nats: LocalNats, nats_settings: NatsSettings
) -> None:
    states: list[bool] = []
    fatal: list[Exception] = []
    nc = await connect(
        nats_settings,
        name="test",
        on_fatal=fatal.append,
        on_state=lambda connected, _detail: states.append(connected),
    )

    nats.kill()
    await nats.wait()
    await wait_until(lambda: not nc.is_connected)
    await nats.start()

    await wait_until(lambda: nc.is_connected)
    await probe(nc)
    assert states == [True, False, True]
    assert fatal == []
    await nc.drain()


async def test_connecting_waits_for_a_server_that_starts_later(tmp_path: Path) -> None:
    async with nats_server(tmp_path) as server:
        await server.stop()
        connecting = asyncio.ensure_future(
            connect(NatsSettings(url=server.url), name="test", on_fatal=_unexpected)
        )

        await server.start()

        nc = await connecting
        assert nc.is_connected
        await nc.close()


async def test_without_patience_an_absent_server_is_an_error() -> None:
    settings = NatsSettings(url="nats://127.0.0.1:1")

    with pytest.raises(BrokerUnreachableError, match=r"pointsman up"):
        await connect(settings, name="test", on_fatal=_unexpected, patience_s=0.1)


async def test_a_wrong_password_is_told_at_once(tmp_path: Path) -> None:
    async with guarded_server(tmp_path, CLERK) as server:
        settings = login(server).model_copy(update={"password": SecretStr("another")})

        with pytest.raises(AuthenticationFailedError, match="POINTSMAN_NATS_PASSWORD") as caught:
            await connect(settings, name="test", on_fatal=_unexpected)

    assert caught.value.user == "clerk"


@pytest.mark.parametrize("version", ["2.9.10", "2.12.6", "2.13.4", "2.13.0"])
async def test_an_old_server_is_refused(version: str) -> None:
    async with old_server(version) as url:
        with pytest.raises(BrokerTooOldError) as caught:
            await connect(NatsSettings(url=url), name="test", on_fatal=_unexpected)

    assert caught.value.found == version


@pytest.mark.parametrize("version", ["2.12.7", "2.14.0", "3.0.0"])
async def test_a_server_that_is_new_enough_is_taken(version: str) -> None:
    async with old_server(version) as url:
        nc = await connect(NatsSettings(url=url), name="test", on_fatal=_unexpected)

        assert nc.is_connected
        await nc.close()


async def test_publishing_where_it_is_forbidden_is_fatal_and_names_the_subject(
    tmp_path: Path,
) -> None:
    fatal: list[Exception] = []
    async with guarded_server(tmp_path, CLERK) as server:
        nc = await connect(login(server), name="test", on_fatal=fatal.append)

        await nc.publish("pm.feed", b"forged")
        await wait_until(lambda: len(fatal) > 0)
        await nc.close()

    error = fatal[0]
    assert isinstance(error, PermissionDeniedError)
    assert (error.operation, error.subject, error.user) == ("publish", "pm.feed", "clerk")


async def test_subscribing_where_it_is_forbidden_is_fatal(tmp_path: Path) -> None:
    fatal: list[Exception] = []
    async with guarded_server(tmp_path, CLERK) as server:
        nc = await connect(login(server), name="test", on_fatal=fatal.append)

        await nc.subscribe("pm.inbox.tasks.*", cb=_ignore)
        await wait_until(lambda: len(fatal) > 0)
        await nc.close()

    assert isinstance(fatal[0], PermissionDeniedError)
    assert fatal[0].operation == "subscription"


async def test_an_answer_that_is_refused_is_not_fatal(tmp_path: Path) -> None:
    """The server forgets at its restart which requests may be answered."""
    fatal: list[Exception] = []
    async with guarded_server(tmp_path, CLERK) as server:
        nc = await connect(login(server), name="test", on_fatal=fatal.append)

        await nc.publish("_INBOX_other.token", b"late")
        await nc.flush()

        assert "permissions violation" in str(nc.last_error)
        assert fatal == []
        await nc.close()


async def test_the_probe_finds_an_inbox_that_may_not_be_read(tmp_path: Path) -> None:
    refused: list[Exception] = []
    deaf = NatsUser("clerk", PASSWORD, publish=("_INBOX_clerk.>",), subscribe=("pm.cmd.>",))
    async with guarded_server(tmp_path, deaf) as server:
        nc = await connect(login(server), name="test", on_fatal=refused.append)

        with pytest.raises(PermissionDeniedError) as caught:
            await probe(nc, user="clerk")
        await nc.close()

    assert caught.value.operation == "subscription"


async def test_the_probe_finds_a_wrong_inbox_prefix(tmp_path: Path) -> None:
    refused: list[Exception] = []
    async with guarded_server(tmp_path, CLERK) as server:
        wrong = login(server).model_copy(update={"inbox_prefix": "_INBOX_sombody"})
        nc = await connect(wrong, name="test", on_fatal=refused.append)

        with pytest.raises((PermissionDeniedError, InboxUnusableError)):
            await probe(nc, user="clerk")
        await nc.close()


async def test_a_well_permitted_user_passes_the_probe(tmp_path: Path) -> None:
    async with guarded_server(tmp_path, CLERK) as server:
        nc = await connect(login(server), name="test", on_fatal=_unexpected)

        await probe(nc, user="clerk")
        await nc.close()


def _unexpected(error: Exception) -> None:
    pytest.fail(f"reported as fatal: {error!r}")


async def _ignore(_message: object) -> None:
    pass
