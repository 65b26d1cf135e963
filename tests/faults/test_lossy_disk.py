"""The lossy tree as a disk that programs use."""

import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path

import pytest

from pointsman.testing.lossy_disk import LossyDisk


def write(path: Path, content: str, *, synced: bool) -> None:
    with path.open("w") as file:
        file.write(content)
        file.flush()
        if synced:
            os.fsync(file.fileno())


async def test_a_power_cut_takes_what_was_not_synced(disk: LossyDisk) -> None:
    write(disk.path / "kept", "content", synced=True)
    write(disk.path / "gone", "content", synced=False)

    await disk.power_cut()
    with pytest.raises(OSError, match="Input/output error"):
        (disk.path / "kept").read_text()
    await disk.power_on()

    assert [path.name for path in disk.path.iterdir()] == ["kept"]
    assert (disk.path / "kept").read_text() == "content"


async def test_a_rename_needs_the_sync_of_its_directory(disk: LossyDisk) -> None:
    write(disk.path / "new", "content", synced=True)
    (disk.path / "new").rename(disk.path / "file")

    directory = os.open(disk.path, os.O_RDONLY)
    os.fsync(directory)
    os.close(directory)
    await disk.power_cut()
    await disk.power_on()

    assert [path.name for path in disk.path.iterdir()] == ["file"]


async def test_syncs_fail_until_the_disk_is_well_again(disk: LossyDisk) -> None:
    await disk.fail_syncs("journal")

    with pytest.raises(OSError, match="Input/output error"):
        write(disk.path / "journal", "content", synced=True)
    write(disk.path / "file", "content", synced=True)
    await disk.heal()

    write(disk.path / "journal", "content", synced=True)


@pytest.mark.parametrize(("synchronous", "kept"), [("FULL", 50), ("OFF", 0)])
async def test_a_database_that_does_not_sync_loses_what_it_acknowledged(
    disk: LossyDisk, synchronous: str, kept: int
) -> None:
    path = disk.path / "rows.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("CREATE TABLE rows (n INTEGER)")
        await disk.sync()
        db.execute(f"PRAGMA synchronous = {synchronous}")
        for n in range(50):
            db.execute("INSERT INTO rows VALUES (?)", (n,))

        await disk.power_cut()
        with suppress(sqlite3.Error):
            db.close()
    await disk.power_on()

    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT count(*) FROM rows").fetchone() == (kept,)
