"""Backups of a log in use, and what is refused as one."""

import asyncio
from pathlib import Path
from uuid import uuid4

import pytest

from pointsman.eventstore import SqliteEventStore, SqliteLogReader
from pointsman.eventstore.backup import MANIFEST, BackupError, back_up, open_backup
from pointsman.runtime.blobs import SqliteBlobs
from tests.support.log_events import some_events


async def test_a_backup_of_a_log_in_use_is_one_state_of_it(tmp_path: Path) -> None:
    data, into = tmp_path / "data", tmp_path / "backup"
    data.mkdir()
    async with SqliteEventStore(data / "log.db") as store:
        await store.append(some_events(uuid4(), range(1, 101)))

        async def go_on() -> None:
            while True:
                await store.append(some_events(uuid4(), [1, 2]))

        writing = asyncio.create_task(go_on())
        manifest = await asyncio.to_thread(back_up, data, into)
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
        originals = await store.read(0, limit=manifest.position)

    reader = SqliteLogReader(into / "log.db")
    copies = await reader.read(0, limit=manifest.position + 1000)
    await reader.close()
    assert manifest.position >= 100
    assert list(copies) == list(originals)
    assert open_backup(into) == manifest


async def test_what_the_log_names_is_among_the_blobs(tmp_path: Path) -> None:
    data, into = tmp_path / "data", tmp_path / "backup"
    blobs = SqliteBlobs(data / "blobs", "scheduler")
    ref = await blobs.put("acme", b"a payload", "text/plain")
    async with SqliteEventStore(data / "log.db") as store:
        await store.append(some_events(uuid4(), [1]))

        await asyncio.to_thread(back_up, data, into)
    await blobs.close()

    copied = SqliteBlobs(into / "blobs", "reader")
    assert await copied.get("acme", ref) == b"a payload"
    await copied.close()


async def a_backup(tmp_path: Path) -> Path:
    data, into = tmp_path / "data", tmp_path / "backup"
    data.mkdir()
    async with SqliteEventStore(data / "log.db") as store:
        await store.append(some_events(uuid4(), [1, 2]))
    back_up(data, into)
    return into


async def test_an_interrupted_backup_is_none(tmp_path: Path) -> None:
    into = await a_backup(tmp_path)
    (into / MANIFEST).unlink()

    with pytest.raises(BackupError, match="interrupted"):
        open_backup(into)


def test_what_is_no_directory_is_told_from_what_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(BackupError, match="there is no backup") as missing:
        open_backup(tmp_path / "missing")
    with pytest.raises(BackupError, match="is no directory") as a_file:
        open_backup(tmp_path / "file")

    assert (missing.value.code, a_file.value.code) == ("backup_missing", "not_a_directory")


async def test_a_backup_that_was_changed_is_refused(tmp_path: Path) -> None:
    into = await a_backup(tmp_path)
    with (into / "log.db").open("r+b") as file:
        file.seek(5000)
        file.write(b"!")

    with pytest.raises(BackupError, match=r"log\.db is missing or was changed"):
        open_backup(into)


async def test_a_manifest_of_a_newer_form_asks_for_an_upgrade(tmp_path: Path) -> None:
    into = await a_backup(tmp_path)
    manifest = (into / MANIFEST).read_text()
    (into / MANIFEST).write_text(manifest.replace('"format": 1', '"format": 2'))

    with pytest.raises(BackupError, match="newer") as refused:
        open_backup(into)

    assert refused.value.next_step == "Upgrade Pointsman."


async def test_a_backup_never_overwrites_anything(tmp_path: Path) -> None:
    into = await a_backup(tmp_path)

    with pytest.raises(BackupError, match="not empty"):
        back_up(tmp_path / "data", into)


def test_a_directory_without_a_log_cannot_be_backed_up(tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="no log"):
        back_up(tmp_path, tmp_path / "backup")
