"""The local PostgreSQL: what survives, as whom it runs, and what is refused and why."""

import asyncio
import os
import shutil
import socket
import stat
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import cast

import asyncpg
import psutil
import pytest

from pointsman.runtime.servers import (
    LocalPostgres,
    ServerError,
    ServerStartError,
)
from pointsman.testing.servers import postgres
from pointsman.testing.waiting import wait_until

ROOT = os.geteuid() == 0


async def login(dsn: str) -> asyncpg.Connection:
    return cast("asyncpg.Connection", await asyncpg.connect(dsn, timeout=10))


async def first_row(dsn: str, query: str) -> object:
    session = await login(dsn)
    try:
        return cast("object", await session.fetchval(query))
    finally:
        await session.close()


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files that were made, used and closed in order; making them is what takes long."""
    place = tmp_path_factory.mktemp("made")

    async def make() -> None:
        async with postgres(place) as server:
            assert server.alive

    asyncio.run(make())
    return place / "postgres"


@pytest.fixture
def data(tmp_path: Path, made_once: Path) -> Path:
    """A copy of these files, with their owners, in a directory for its owner alone."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    subprocess.run([shutil.which("cp") or "cp", "-a", made_once, closed], check=True)
    return closed / "postgres"


@pytest.fixture
def small_disk(tmp_path: Path) -> Generator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = shutil.which("mount")
    command = [mount or "mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(disk)]
    if mount is None or subprocess.run(command, check=False, capture_output=True).returncode != 0:
        pytest.skip("needs the right to mount a tmpfs (root)")
    yield disk
    subprocess.run([shutil.which("umount") or "umount", str(disk)], check=True)


async def test_commits_survive_a_kill_and_clients_find_the_same_address(data: Path) -> None:
    server = LocalPostgres(data)
    await server.start()
    dsn = await server.create_database("kept")
    session = await login(dsn)
    await session.execute("CREATE TABLE kept AS SELECT 42 AS answer")

    server.kill()
    await server.wait()
    await server.start()
    answer = await first_row(dsn, "SELECT answer FROM kept")
    await server.stop()

    assert answer == 42


async def test_a_process_id_left_behind_by_a_crash_may_belong_to_a_stranger(data: Path) -> None:
    stale = f"{os.getppid()}\n{data / 'cluster'}\n1\n5432\n\n127.0.0.1\n0\nready\n"
    (data / "cluster" / "postmaster.pid").write_text(stale)
    server = LocalPostgres(data)

    await server.start()
    answer = await first_row(server.dsn, "SELECT 1")
    await server.stop()

    assert answer == 1


async def test_a_commit_is_on_disk_and_pages_are_checked(data: Path) -> None:
    server = LocalPostgres(data)
    await server.start()

    names = ("fsync", "synchronous_commit", "full_page_writes", "data_checksums")
    settings = {name: await first_row(server.dsn, f"SHOW {name}") for name in names}
    await server.stop()

    assert settings == dict.fromkeys(names, "on")


async def test_whoever_owns_the_log_rules_nothing_else_and_a_guess_is_turned_away(
    data: Path,
) -> None:
    server = LocalPostgres(data)
    await server.start()

    rules = await first_row(
        server.dsn, "SELECT rolsuper OR rolcreaterole FROM pg_roles WHERE rolname = current_user"
    )
    with pytest.raises(asyncpg.InvalidPasswordError):
        await login(f"postgresql://pointsman:guessed@127.0.0.1:{server.port}/pointsman")
    await server.stop()

    assert rules is False


async def test_it_listens_on_loopback_alone_and_keeps_no_password_in_an_argument(
    data: Path,
) -> None:
    server = LocalPostgres(data)
    await server.start()

    process = psutil.Process(server.pid)
    addresses = {each.laddr.ip for each in process.net_connections("inet")}
    secrets = (data / "passwords.json").read_text()
    words = process.cmdline()
    await server.stop()

    assert addresses == {"127.0.0.1"}
    assert not [word for word in words if len(word) > 20 and word in secrets]
    assert stat.S_IMODE((data / "passwords.json").stat().st_mode) == 0o600


@pytest.mark.skipif(not ROOT, reason="only root can become somebody else")
async def test_root_starts_it_as_the_owner_of_its_files_behind_closed_directories(
    data: Path,
) -> None:
    server = LocalPostgres(data)
    await server.start()

    user = psutil.Process(server.pid).uids().real
    modes = {stat.S_IMODE(each.stat().st_mode) for each in (data.parent, data)}
    owners = {each.stat().st_uid for each in (data.parent, data)}
    await server.stop()

    assert user == (data / "cluster").stat().st_uid != 0
    assert modes == {0o700}
    assert owners == {0}


async def test_stopping_ends_open_sessions_in_order(data: Path) -> None:
    server = LocalPostgres(data)
    await server.start()
    session = await login(server.dsn)

    await server.stop()

    await wait_until(session.is_closed, message="the session was ended")
    assert "database system is shut down" in server.log.read_text()
    assert not server.alive


async def test_a_server_whose_parent_was_killed_does_not_live_on(data: Path) -> None:
    script = (
        "import asyncio, sys\n"
        "from pathlib import Path\n"
        "from pointsman.runtime.servers import LocalPostgres\n"
        "async def main():\n"
        "    server = LocalPostgres(Path(sys.argv[1]))\n"
        "    await server.start()\n"
        "    print(server.pid, flush=True)\n"
        "    await asyncio.Event().wait()\n"
        "asyncio.run(main())\n"
    )
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, str(data), stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    orphan = psutil.Process(int(await parent.stdout.readline()))

    parent.kill()
    await parent.wait()

    if sys.platform == "linux":
        await wait_until(lambda: not orphan.is_running() or orphan.status() == "zombie")
    again = LocalPostgres(data)
    await again.start()
    await again.stop()


async def test_two_servers_never_share_their_files(data: Path) -> None:
    server, second = LocalPostgres(data), LocalPostgres(data)
    await server.start()

    with pytest.raises(ServerError, match=str(os.getpid())) as refused:
        await second.start()
    await server.stop()

    assert refused.value.code == "postgres_data_in_use"


async def test_a_port_that_somebody_else_has_is_named_at_once(data: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        server = LocalPostgres(data, port=other.getsockname()[1])

        with pytest.raises(ServerStartError) as refused:
            await server.start()
        await server.stop()

    assert refused.value.code == "postgres_port_taken"


async def test_files_of_another_version_are_left_alone(data: Path) -> None:
    (data / "cluster" / "PG_VERSION").write_text("14\n")
    server = LocalPostgres(data)

    with pytest.raises(ServerError, match="PostgreSQL 14") as refused:
        await server.start()
    await server.stop()

    assert refused.value.code == "postgres_data_version"


async def test_files_without_their_passwords_say_what_to_restore(data: Path) -> None:
    (data / "passwords.json").write_text("[]")
    server = LocalPostgres(data)

    with pytest.raises(ServerError, match=r"passwords\.json") as refused:
        await server.start()
    await server.stop()

    assert refused.value.code == "postgres_passwords_missing"


async def test_a_disk_that_is_full_is_called_by_its_name(small_disk: Path) -> None:
    server = LocalPostgres(small_disk / "postgres")

    with pytest.raises(ServerStartError, match="No space left") as refused:
        await server.start()
    await server.stop()

    assert refused.value.code == "postgres_disk_full"
    assert not (small_disk / "postgres" / "cluster").exists()
