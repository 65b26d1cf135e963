"""The local nats-server: who may do what, what survives, and which versions are refused."""

import asyncio
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import StreamConfig

from pointsman.runtime.nats_client import nats_client
from pointsman.runtime.servers import (
    LocalNats,
    NatsUser,
    ServerError,
    ServerMissingError,
    ServerStartError,
    ServerTooOldError,
    check_nats_server,
    find_nats_server,
    kill_leftovers,
)
from pointsman.testing.servers import nats_server
from pointsman.testing.waiting import PATIENCE_S, wait_until

WRITER = NatsUser("writer", "writes-a-lot", publish=("work.>",), subscribe=())
READER = NatsUser("reader", "reads-a-lot", publish=(), subscribe=("work.>",))
ASKER = NatsUser("asker", "asks-a-lot", publish=("ask.>",), subscribe=("_INBOX.asker.>",))
ANSWERER = NatsUser(
    "answerer", "answers-all", publish=(), subscribe=("ask.>",), allow_responses=True
)


async def client_of(server: LocalNats, user: NatsUser, refused: list[str]) -> Client:
    async def note(error: Exception) -> None:
        refused.append(str(error))

    return await nats_client(
        server.url,
        user=user.name,
        password=user.password,
        error_cb=note,
        inbox_prefix=f"_INBOX.{user.name}",
        allow_reconnect=False,
    )


def fake_server(directory: Path, version: str) -> Path:
    path = directory / "nats-server"
    path.write_text(f"#!/bin/sh\necho 'nats-server: {version}'\n")
    path.chmod(0o755)
    return path


async def test_acknowledged_messages_survive_a_kill_and_clients_find_the_same_address(
    tmp_path: Path,
) -> None:
    async with nats_server(tmp_path) as server:
        url = server.url
        client = await nats_client(url, reconnect_time_wait=0.05)
        stream = client.jetstream()
        await stream.add_stream(StreamConfig(name="WORK", subjects=["work.>"]))
        await stream.publish("work.a", b"first")

        server.kill()
        await server.wait()
        await server.start()
        await wait_until(lambda: client.is_connected, message="the client has reconnected")
        kept = await stream.get_msg("WORK", 1)
        await client.close()

        assert server.url == url
        assert kept.data == b"first"


async def test_a_user_may_do_what_its_lists_say_and_nothing_else(tmp_path: Path) -> None:
    refused: list[str] = []
    async with nats_server(tmp_path, users=[WRITER, READER]) as server:
        writer = await client_of(server, WRITER, refused)
        reader = await client_of(server, READER, refused)
        work = await reader.subscribe("work.*")
        await reader.flush()

        await writer.publish("work.a", b"allowed")
        received = await work.next_msg(timeout=PATIENCE_S)
        await writer.publish("other.a", b"not allowed")
        await writer.subscribe("work.*")
        await reader.publish("work.b", b"not allowed")
        await wait_until(lambda: len(refused) == 3, message="three refusals")
        await writer.close()
        await reader.close()

        assert received.data == b"allowed"
        assert all("permissions violation" in text.lower() for text in refused)


async def test_a_user_may_answer_requests_without_naming_the_askers_inbox(tmp_path: Path) -> None:
    async with nats_server(tmp_path, users=[ASKER, ANSWERER]) as server:
        asker = await client_of(server, ASKER, [])
        answerer = await client_of(server, ANSWERER, [])

        async def answer(message: Msg) -> None:
            await message.respond(b"42")

        await answerer.subscribe("ask.*", cb=answer)
        await answerer.flush()
        reply = await asker.request("ask.anything", b"?", timeout=PATIENCE_S)
        await asker.close()
        await answerer.close()

        assert reply.data == b"42"


async def test_a_stranger_is_turned_away(tmp_path: Path) -> None:
    async with nats_server(tmp_path, users=[WRITER]) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        await reader.readline()

        writer.write(b'CONNECT {"user":"writer","pass":"guessed","verbose":false}\r\nPING\r\n')
        answer = await reader.readline()
        writer.close()
        await writer.wait_closed()

        assert answer == b"-ERR 'Authorization Violation'\r\n"


async def test_the_configuration_is_readable_by_its_owner_alone_and_listens_on_loopback(
    tmp_path: Path,
) -> None:
    async with nats_server(tmp_path, users=[WRITER]) as server:
        config = tmp_path / "nats" / "nats-server.conf"

        assert stat.S_IMODE(config.stat().st_mode) == 0o600
        assert stat.S_IMODE(config.parent.stat().st_mode) == 0o700
        assert '"host": "127.0.0.1"' in config.read_text()
        assert server.url.startswith("nats://127.0.0.1:")


async def test_a_server_whose_parent_was_killed_does_not_live_on(tmp_path: Path) -> None:
    script = (
        "import asyncio, sys\n"
        "from pathlib import Path\n"
        "from pointsman.runtime.servers import LocalNats\n"
        "async def main():\n"
        "    server = LocalNats(Path(sys.argv[1]), [], unauthenticated_for_tests=True)\n"
        "    await server.start()\n"
        "    print(server.pid, flush=True)\n"
        "    await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, str(tmp_path / "nats"), stdout=subprocess.PIPE
    )
    assert parent.stdout is not None
    server_pid = int(await parent.stdout.readline())
    assert lives(server_pid)

    os.kill(parent.pid, signal.SIGKILL)
    await parent.wait()

    await wait_until(lambda: not lives(server_pid), message="the server is gone")


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_a_second_start_leaves_the_running_server_alone(tmp_path: Path) -> None:
    async with nats_server(tmp_path) as server:
        pid = server.pid

        await server.start()

        assert server.pid == pid


async def test_a_start_ends_what_an_earlier_one_left_on_the_same_data(tmp_path: Path) -> None:
    async with nats_server(tmp_path) as left_over, nats_server(tmp_path) as server:
        await wait_until(lambda: not left_over.alive, message="the left-over server is gone")

        assert server.alive


def test_only_processes_of_the_named_programs_are_leftovers() -> None:
    assert kill_leftovers(__name__, programs=["nats-server"]) == []


@pytest.mark.parametrize(
    "version", ["v2.11.9", "v2.12.6", "v2.13.4", "v2.14.0-RC.2", "v2.12.7-beta.1", "v1.99.99"]
)
async def test_an_old_server_is_refused_with_what_to_do(tmp_path: Path, version: str) -> None:
    binary = fake_server(tmp_path, version)

    with pytest.raises(ServerTooOldError) as refused:
        await LocalNats(tmp_path / "nats", [WRITER], binary=binary).start()

    assert refused.value.code == "nats_too_old"
    assert refused.value.found == version
    assert "2.12.7" in str(refused.value)
    assert refused.value.next_step in str(refused.value)


@pytest.mark.parametrize("version", ["v2.12.7", "v2.12.11", "v2.14.0", "v2.15.1", "v3.0.0-dev"])
async def test_a_server_that_is_new_enough_is_taken(tmp_path: Path, version: str) -> None:
    assert f"v{await check_nats_server(fake_server(tmp_path, version))}" == version


async def test_a_program_that_is_no_server_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ServerMissingError) as refused:
        await check_nats_server(tmp_path / "nats-server")

    assert refused.value.code == "nats_server_unusable"


def test_a_missing_server_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(ServerMissingError) as refused:
        find_nats_server()

    assert refused.value.code == "nats_server_missing"
    assert "./dev setup" in refused.value.next_step


async def test_a_server_that_ends_at_once_is_reported_with_its_last_words(tmp_path: Path) -> None:
    binary = tmp_path / "nats-server"
    binary.write_text(
        '#!/bin/sh\n[ "$1" = --version ] && echo v2.15.1 && exit\necho the disk is full\nexit 1\n'
    )
    binary.chmod(0o755)

    with pytest.raises(ServerStartError, match="the disk is full") as failed:
        await LocalNats(tmp_path / "nats", [WRITER], binary=binary).start()

    assert failed.value.code == "nats_start_failed"


def test_a_server_without_users_has_to_be_asked_for_by_name(tmp_path: Path) -> None:
    with pytest.raises(ServerError) as refused:
        LocalNats(tmp_path, [])

    assert refused.value.code == "nats_users_missing"


@pytest.mark.parametrize(
    "user",
    [
        NatsUser("writer", "short", (), ()),
        NatsUser("writer", "$2a$11$bcrypt", (), ()),
        NatsUser('wri"ter', "writes-a-lot", (), ()),
        NatsUser("writer", "writes-a-lot", ('work"', "work.a"), ()),
        NatsUser("writer", "writes-a-lot", (), ("work a",)),
    ],
)
async def test_names_that_would_change_the_configuration_are_refused(
    tmp_path: Path, user: NatsUser
) -> None:
    with pytest.raises(ServerError) as refused:
        await LocalNats(tmp_path / "nats", [user]).start()

    assert refused.value.code == "nats_config_unsafe"
    assert user.password not in str(refused.value)
