"""The log in PostgreSQL: nothing acknowledged is lost, nothing is recorded twice."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import psycopg
import pytest

from pointsman.eventstore.postgres import PostgresEventStore
from pointsman.runtime.servers import LocalPostgres
from pointsman.testing import wait_until
from pointsman.testing.hung import hung
from pointsman.testing.lossy_disk import LossyDisk
from pointsman.testing.postgres_answers import LostCommits
from pointsman.testing.servers import postgres
from pointsman.testing.sized_disk import sized_disk, sized_disk_missing
from pointsman.testing.tcp_proxy import TcpProxy, tcp_proxy
from tests.e2e.live_stack import show
from tests.faults.conftest import require
from tests.faults.postgres_log import appending, contradictions

LOST: Final = 50
"""Answers to COMMIT that the log never gets."""
DISK: Final = 220 * 1024 * 1024
"""An empty server takes 60 MB of it, its journal up to 160 MB more."""


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[LocalPostgres]:
    async with postgres(tmp_path) as running:
        yield running


@pytest.fixture
async def proxy(server: LocalPostgres) -> AsyncIterator[TcpProxy]:
    async with tcp_proxy(("127.0.0.1", server.port)) as proxy:
        yield proxy


def behind(proxy: TcpProxy, server: LocalPostgres) -> str:
    return server.dsn.replace(f":{server.port}/", f":{proxy.port}/")


@pytest.mark.slow
async def test_commits_whose_answers_are_lost_are_recorded_once(
    server: LocalPostgres, proxy: TcpProxy
) -> None:
    commits = LostCommits()
    async with await PostgresEventStore.open(behind(proxy, server)) as store:
        proxy.hook = commits
        async with appending(store) as work:
            for number in range(1, LOST + 1):
                commits.armed = 1
                await wait_until(lambda n=number: commits.lost == n, timeout_s=30)
                await work.reaches(len(work.acknowledged) + 5)
        proxy.hook = None
        found = await contradictions(store, work)

    show(
        test="commit answers lost",
        lost=commits.lost,
        acknowledged=len(work.acknowledged),
        unavailable=work.unavailable,
        contradictions=len(found),
    )
    assert commits.lost == LOST
    assert not found


async def test_a_cut_line_is_made_anew(server: LocalPostgres, proxy: TcpProxy) -> None:
    async with await PostgresEventStore.open(behind(proxy, server)) as store:
        async with appending(store) as work:
            for _ in range(5):
                await work.reaches(len(work.acknowledged) + 20)
                proxy.cut()
            await work.reaches(len(work.acknowledged) + 20)

        assert not await contradictions(store, work)


@pytest.mark.slow
async def test_a_silent_line_is_given_up_and_work_goes_on_over_a_new_one(
    server: LocalPostgres, proxy: TcpProxy
) -> None:
    async with await PostgresEventStore.open(behind(proxy, server)) as store:
        async with appending(store) as work:
            await work.reaches(20)
            proxy.swallow()
            await wait_until(lambda: work.unavailable > 0, timeout_s=30)
            proxy.restore()
            await work.reaches(len(work.acknowledged) + 20)

        assert not await contradictions(store, work)


@pytest.mark.slow
async def test_a_killed_server_is_found_again(server: LocalPostgres) -> None:
    async with await PostgresEventStore.open(server.dsn) as store:
        async with appending(store) as work:
            for _ in range(3):
                await work.reaches(len(work.acknowledged) + 20)
                server.kill()
                await server.wait()
                await server.start()
            await work.reaches(len(work.acknowledged) + 20)

        assert not await contradictions(store, work)


@pytest.mark.slow
async def test_a_hung_server_is_answered_for_as_unavailable(server: LocalPostgres) -> None:
    async with await PostgresEventStore.open(server.dsn) as store:
        async with appending(store) as work:
            await work.reaches(20)
            backend = backend_of(server)
            with hung(server.pid), hung(backend):
                await wait_until(lambda: work.unavailable > 0, timeout_s=30)
            await work.reaches(len(work.acknowledged) + 20)

        assert not await contradictions(store, work)


def backend_of(server: LocalPostgres) -> int:
    """The process of the server that the log's writer talks to."""
    with psycopg.connect(server.admin_dsn) as connection:
        row = connection.execute(
            "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'pointsman log %'"
            " AND application_name <> 'pointsman log reader' LIMIT 1"
        ).fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.slow
async def test_a_full_disk_is_unavailable_and_works_again_with_space(tmp_path: Path) -> None:
    require(sized_disk_missing())
    with sized_disk(tmp_path / "small", DISK) as small:
        async with (
            postgres(small.path) as server,
            await PostgresEventStore.open(server.dsn) as store,
        ):
            async with appending(store) as work:
                await work.reaches(20)
                ballast = small.fill()
                await wait_until(lambda: work.unavailable > 0, timeout_s=60)
                ballast.unlink()
                if not server.alive:
                    await server.start()
                await work.reaches(len(work.acknowledged) + 20)

            assert not await contradictions(store, work)


@pytest.mark.slow
async def test_a_failing_sync_of_the_journal_stops_the_server_and_loses_nothing(
    disk: LossyDisk,
) -> None:
    async with (
        postgres(disk.path) as server,
        await PostgresEventStore.open(server.dsn) as store,
    ):
        async with appending(store) as work:
            await work.reaches(20)
            await disk.fail_syncs("pg_wal")
            await wait_until(lambda: work.unavailable > 0, timeout_s=60)
            await disk.heal()
            # It has ended by itself, or is in the middle of its own recovery.
            server.kill()
            await server.wait()
            await server.start()
            await work.reaches(len(work.acknowledged) + 20)

        assert not await contradictions(store, work)
