"""Backups: the log as one file, the blobs that it refers to, and a manifest that vouches for both.

The log is copied first and the blobs after it: a blob is durable before the log speaks of it, so
whatever the copied log names is among the copied blobs. The manifest is written last; a directory
without one is no backup.
"""

import hashlib
import shutil
import time
from collections.abc import Generator
from contextlib import closing, contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Final

import msgspec

from pointsman.eventstore.archive import ARCHIVE, Archive
from pointsman.eventstore.archive_rows import select_mark
from pointsman.eventstore.archive_segment import SUFFIX as SEGMENTS
from pointsman.eventstore.log_file import copy_database, linked_pages, sync
from pointsman.eventstore.log_identity import read_identity
from pointsman.eventstore.verification import BrokenLink, ChainCheck
from pointsman.runtime import durable_sqlite
from pointsman.runtime.errors import FatalError

MANIFEST: Final = "backup.json"
LOG: Final = "log.db"
BLOBS: Final = "blobs"

_FORMAT: Final = 1
_PIECE: Final = 1024 * 1024


class BackupError(FatalError):
    """Nothing was backed up or restored; the operator names another directory or backup."""

    def __init__(self, message: str, *, next_step: str, code: str = "backup_unusable") -> None:
        super().__init__(message, next_step=next_step)
        self.code = code


class FileMark(msgspec.Struct, frozen=True):
    """What a file of a backup must be."""

    size: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True):
    """What a backup holds."""

    pointsman: str
    """Release that took it."""
    taken_at: float
    incarnation: str
    """Of the log that it was taken from."""
    position: int
    """Last event of the log."""
    time_us: int
    """When that was recorded; 0 for an empty log."""
    link: str
    """Link of the last event, hexadecimal."""
    files: dict[str, FileMark]
    format: int = _FORMAT


def back_up(data: Path, into: Path) -> Manifest:
    """Back up the SQLite log and the blobs of a data directory into a new or empty directory.

    The stack may be running. Raises `BackupError`, `LogUnreadableError`, `LogSchemaError`,
    `sqlite3.Error` and `OSError`; what was begun is then no backup.
    """
    log = data / LOG
    if not log.exists():
        raise BackupError(
            f"there is no log in {data}.",
            next_step="Name the data directory of a stack.",
            code="log_missing",
        )
    with new_backup(data, into):
        copy_database(log, into / LOG)
        return finish(data, into)


@contextmanager
def new_backup(data: Path, into: Path) -> Generator[None]:
    """Make the directory of a backup, and empty it again if the block fails.

    Raises `BackupError`.
    """
    if into.exists() and (not into.is_dir() or any(into.iterdir())):
        what = "is not empty" if into.is_dir() else "is no directory"
        raise BackupError(
            f"{into} {what}.", next_step="Name a new directory.", code="backup_target_in_use"
        )
    if into.is_relative_to(data):
        raise BackupError(
            f"{into} is inside the directory that is backed up.",
            next_step="Name a directory elsewhere, best on another disk.",
            code="backup_target_in_use",
        )
    into.mkdir(mode=0o700, parents=True, exist_ok=True)
    into.chmod(0o700)
    try:
        yield
    except BaseException:
        for path in into.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        raise


def finish(data: Path, into: Path) -> Manifest:
    """Add the blobs to a log that was copied, check it and write the manifest."""
    _copy_archive(data, into)
    (into / BLOBS).mkdir(mode=0o700)
    for shard in sorted((data / BLOBS).glob("*.db")):
        copy_database(shard, into / BLOBS / shard.name)
    check, time_us = _check(into / LOG)
    if check.broken is not None:
        raise broken_log(into / LOG, check.broken)
    manifest = Manifest(
        pointsman=version("pointsman"),
        taken_at=time.time(),
        incarnation=read_identity(into / LOG).incarnation,
        position=check.position,
        time_us=time_us,
        link=check.link.hex(),
        files={
            str(path.relative_to(into)): _mark(path)
            for path in sorted((*into.rglob("*.db"), *into.rglob(f"*{SEGMENTS}")))
        },
    )
    text = msgspec.json.format(msgspec.json.encode(manifest), indent=2)
    (into / MANIFEST).write_bytes(text + b"\n")
    sync(into / MANIFEST)
    return manifest


def open_backup(backup: Path) -> Manifest:
    """The manifest of a backup whose files are what it says; raises `BackupError`."""
    if not backup.is_dir():
        missing = not backup.exists()
        raise BackupError(
            f"there is no backup {backup}." if missing else f"{backup} is no directory.",
            next_step="Name the directory of a backup.",
            code="backup_missing" if missing else "not_a_directory",
        )
    try:
        manifest = msgspec.json.decode((backup / MANIFEST).read_bytes(), type=Manifest)
    except FileNotFoundError:
        raise BackupError(
            f"{backup} is no backup, or one that was interrupted: it has no {MANIFEST}.",
            next_step="Name another one.",
            code="backup_incomplete",
        ) from None
    except msgspec.MsgspecError as error:
        raise BackupError(
            f"{backup / MANIFEST} cannot be read: {error}.", next_step="Name another backup."
        ) from error
    if manifest.format > _FORMAT:
        raise BackupError(
            f"{backup} was made by Pointsman {manifest.pointsman} in a newer form.",
            next_step="Upgrade Pointsman.",
            code="backup_newer",
        )
    for name, mark in manifest.files.items():
        path = backup / name
        if not path.is_file() or _mark(path) != mark:
            raise BackupError(
                f"{path} is missing or was changed since the backup was made.",
                next_step="Name another backup.",
                code="backup_changed",
            )
    return manifest


def broken_log(log: object, broken: BrokenLink) -> BackupError:
    """A log whose chain does not hold is neither backed up nor restored."""
    return BackupError(
        f"event {broken.position} ({broken.topic}) of {log} is not what was written: "
        f"{broken.reason}.",
        next_step="Restore an earlier backup.",
        code="log_changed",
    )


def _copy_archive(data: Path, into: Path) -> None:
    """The segments that the copied log names; they never change."""
    with closing(durable_sqlite.connect_reader(into / LOG)) as log:
        archive = Archive(data / ARCHIVE)
        archive.follow(select_mark(log))
    for segment in archive.segments():
        (into / ARCHIVE).mkdir(mode=0o700, exist_ok=True)
        shutil.copyfile(segment.path, into / ARCHIVE / segment.name)
        sync(into / ARCHIVE / segment.name)


def _check(log: Path) -> tuple[ChainCheck, int]:
    check, time_us = ChainCheck(), 0
    for page in linked_pages(log):
        check.take(page)
        time_us = page[-1].event.time_us
    return check, time_us


def _mark(path: Path) -> FileMark:
    state = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            state.update(piece)
    return FileMark(path.stat().st_size, state.hexdigest())
