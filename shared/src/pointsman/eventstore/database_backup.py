"""Backups of a log that is kept in PostgreSQL: the same files as of a SQLite log."""

import asyncio
import shutil
from pathlib import Path

from pointsman.eventstore.backup import BLOBS, LOG, Manifest, finish, new_backup
from pointsman.eventstore.postgres_copy import export_log, import_log
from pointsman.eventstore.restoring import Restored, restore


async def back_up_database(dsn: str, data: Path, into: Path) -> Manifest:
    """As `backup.back_up`, with the log of a database; raises what `Database.open` does besides."""
    with new_backup(data, into):
        await export_log(dsn, into / LOG)
        return await asyncio.to_thread(finish, data, into)


async def restore_database(
    backup: Path,
    data: Path,
    dsn: str,
    *,
    position: int | None = None,
    time: float | None = None,
) -> Restored:
    """As `restoring.restore`, with the log in an empty database.

    Whatever interrupts it, the database then holds the whole restored log or nothing.
    """
    staging = data / "restoring"
    await asyncio.to_thread(shutil.rmtree, staging, ignore_errors=True)
    staging.mkdir(mode=0o700)
    restored = await asyncio.to_thread(restore, backup, staging, position=position, time=time)
    # Blobs that nothing names do no harm; a log whose blobs are missing would.
    await asyncio.to_thread(shutil.copytree, staging / BLOBS, data / BLOBS, dirs_exist_ok=True)
    await import_log(staging / LOG, dsn)
    await asyncio.to_thread(shutil.rmtree, staging)
    return restored
