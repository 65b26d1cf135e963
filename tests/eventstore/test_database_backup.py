"""A log of PostgreSQL is backed up into the same files, and restored into either store."""

from pathlib import Path
from uuid import uuid4

import pytest

from pointsman.eventstore import Append, Appended, DuplicateCommand, SqliteEventStore
from pointsman.eventstore.backup import BackupError, open_backup
from pointsman.eventstore.database_backup import back_up_database, restore_database
from pointsman.eventstore.log_file import linked_pages
from pointsman.eventstore.postgres import PostgresEventStore
from pointsman.eventstore.restoring import restore
from pointsman.eventstore.verification import ChainCheck
from pointsman.runtime.servers import LocalPostgres
from tests.support.log_events import a_command, some_events
from tests.support.task_events import record_lives


@pytest.fixture
async def another(postgres_server: LocalPostgres) -> str:
    return await postgres_server.create_database(f"restored_{uuid4().hex}")


async def test_a_database_is_backed_up_while_it_is_in_use(database: str, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    async with await PostgresEventStore.open(database) as store:
        last = await record_lives(store, 20)

        manifest = await back_up_database(database, tmp_path / "data", tmp_path / "backup")

        assert manifest.position == last
        assert manifest.incarnation == (await store.identity()).incarnation
        copied = [e.event for page in linked_pages(tmp_path / "backup/log.db") for e in page]
        assert copied == list(await store.read(0, limit=1000))
    check = ChainCheck()
    for page in linked_pages(tmp_path / "backup" / "log.db"):
        check.take(page)
    assert check.broken is None
    assert open_backup(tmp_path / "backup") == manifest


async def test_a_backup_is_restored_into_another_database_and_goes_on(
    database: str, another: str, tmp_path: Path
) -> None:
    for name in ("data", "new"):
        (tmp_path / name).mkdir()
    async with await PostgresEventStore.open(database) as store:
        await record_lives(store, 3)
        events = some_events(uuid4(), [1]).events
        await store.append(Append(events, a_command("early")))
        await record_lives(store, 3)
        before = list(await store.read(0, limit=10))
    await back_up_database(database, tmp_path / "data", tmp_path / "backup")

    restored = await restore_database(tmp_path / "backup", tmp_path / "new", another, position=10)

    async with await PostgresEventStore.open(another) as store:
        assert list(await store.read(0)) == before
        assert await store.append(some_events(uuid4(), [1])) == Appended((11,))
        again = await store.append(Append(some_events(uuid4(), [1]).events, a_command("early")))
        assert isinstance(again, DuplicateCommand)
        assert (await store.identity()).incarnation == restored.incarnation
    assert not (tmp_path / "new" / "restoring").exists()


async def test_the_backup_of_a_database_opens_as_a_file_too(database: str, tmp_path: Path) -> None:
    for name in ("data", "new"):
        (tmp_path / name).mkdir()
    async with await PostgresEventStore.open(database) as store:
        await record_lives(store, 2)
    await back_up_database(database, tmp_path / "data", tmp_path / "backup")

    restore(tmp_path / "backup", tmp_path / "new", position=4)

    async with SqliteEventStore(tmp_path / "new" / "log.db") as store:
        assert await store.append(some_events(uuid4(), [1])) == Appended((5,))


async def test_a_database_with_a_log_is_not_overwritten(database: str, tmp_path: Path) -> None:
    for name in ("data", "new"):
        (tmp_path / name).mkdir()
    async with await PostgresEventStore.open(database) as store:
        last = await record_lives(store, 1)
    await back_up_database(database, tmp_path / "data", tmp_path / "backup")

    with pytest.raises(BackupError, match="holds a log already"):
        await restore_database(tmp_path / "backup", tmp_path / "new", database)

    async with await PostgresEventStore.open(database) as store:
        assert await store.head() == last
