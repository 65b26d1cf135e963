"""Snapshots of a pool as files, of which the newest two are kept.

A file is a line of JSON that says what it is, then slices with their length in front, the facts
of the pool first, and at the end a digest of all that. It is read twice: a damaged file must be
found out before anything of it is believed.
"""

import asyncio
import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

import msgspec
import structlog

from pointsman.contracts.message import Message
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.snapshot.facts import restore
from pointsman.scheduler.domain.snapshot.pool_copy import (
    PoolCopy,
    UnreadableSnapshotError,
    decode_facts,
    decode_tasks,
    snapshot_format,
)
from pointsman.scheduler.domain.tasks import OpenTask

SLICE_TASKS: Final = 250
"""About a millisecond of the event loop."""

_KEEP: Final = 2
_DIGEST_BYTES: Final = 16
_LENGTH_BYTES: Final = 4
_READ_BYTES: Final = 1024 * 1024
_HEADER_BYTES: Final = 4096
_SUFFIX: Final = ".snapshot"
_POSITION: Final = re.compile(r"[0-9]{1,19}")

_log = structlog.get_logger(__name__)


class _Header(Message, frozen=True):
    format: str
    pool: str
    incarnation: str
    position: int


_header_decoder: Final = msgspec.json.Decoder(_Header)
_encoder: Final = msgspec.json.Encoder()


class SnapshotFiles:
    """Implements `ports.Snapshots` in a directory, which may be deleted at any time."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        # Looked up before the event loop has work to do: the first time takes milliseconds.
        self._format = snapshot_format()
        self._usable: list[Path] = []

    async def restore(self, pool: Pool, *, incarnation: str, head: int) -> int:
        """In a thread: nobody else may use the pool meanwhile."""
        return await asyncio.to_thread(self._restore, pool, incarnation, head)

    async def save(self, copy: PoolCopy, *, pool: str, incarnation: str) -> None:
        """Encode on the event loop, a slice at a time; write in a thread. Raises `OSError`."""
        header = _Header(
            format=self._format, pool=pool, incarnation=incarnation, position=copy.position
        )
        path = self._directory / f"{pool}-{copy.position:012}{_SUFFIX}"
        writing = await asyncio.to_thread(_Writing, path, _encoder.encode(header))
        try:
            await asyncio.to_thread(writing.write, copy.facts)
            while (tasks := copy.next(SLICE_TASKS)) is not None:
                await asyncio.to_thread(writing.write, tasks)
            await asyncio.to_thread(writing.finish)
        finally:
            await asyncio.shield(asyncio.to_thread(writing.close))
        self._usable = [*(p for p in self._usable if p != path), path][-_KEEP:]
        await asyncio.to_thread(self._prune, pool)

    def _restore(self, pool: Pool, incarnation: str, head: int) -> int:
        for path in reversed(self._files(pool.name)):
            try:
                header = _verified(path)
                reason = _unfit(header, pool.name, incarnation, head)
                if reason is None:
                    with path.open("rb") as file:
                        _read(file, pool)
                    self._usable = [path]
                    _log.info("snapshot_used", path=str(path), position=header.position)
                    return header.position
            except (OSError, UnreadableSnapshotError) as error:
                reason = str(error)
            _log.warning("snapshot_ignored", path=str(path), reason=reason)
        return 0

    def _files(self, pool: str) -> list[Path]:
        """The snapshots of a pool by position."""
        found: list[tuple[int, Path]] = []
        for path in self._directory.glob(f"*{_SUFFIX}"):
            name, _, position = path.name.removesuffix(_SUFFIX).rpartition("-")
            if name == pool and _POSITION.fullmatch(position):
                found.append((int(position), path))
        return [path for _, path in sorted(found)]

    def _prune(self, pool: str) -> None:
        # What could not be used when this process started will not be used later either.
        for path in self._files(pool):
            if path not in self._usable:
                path.unlink(missing_ok=True)


class _Writing:
    """A file that appears under its name when it is whole and on disk."""

    def __init__(self, path: Path, header: bytes) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path = path
        self._draft = path.with_name(path.name + ".draft")
        self._digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)
        self._file = self._draft.open("wb")
        self._add(header + b"\n")

    def write(self, body: bytes) -> None:
        self._add(len(body).to_bytes(_LENGTH_BYTES, "big") + body)

    def finish(self) -> None:
        self._add((0).to_bytes(_LENGTH_BYTES, "big"))
        self._file.write(self._digest.digest())
        self._file.flush()
        os.fsync(self._file.fileno())
        self._draft.replace(self._path)
        directory = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)

    def close(self) -> None:
        """Nothing is left of a file that was not finished."""
        self._file.close()
        self._draft.unlink(missing_ok=True)

    def _add(self, data: bytes) -> None:
        self._digest.update(data)
        self._file.write(data)


def _unfit(header: _Header, pool: str, incarnation: str, head: int) -> str | None:
    """Why a whole file is of no use here, None if it is."""
    if header.format != snapshot_format():
        return f"its format is {header.format}, this release has {snapshot_format()}"
    if header.pool != pool:
        return f"it is of pool {header.pool}"
    if header.incarnation != incarnation:
        return "it is of another life of the log"
    if header.position > head:
        return f"it knows position {header.position}, the log ends at {head}"
    return None


def _verified(path: Path) -> _Header:
    """Raises `UnreadableSnapshotError` and `OSError`."""
    left = path.stat().st_size - _DIGEST_BYTES
    digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    with path.open("rb") as file:
        while left > 0 and (data := file.read(min(_READ_BYTES, left))):
            digest.update(data)
            left -= len(data)
        if left != 0 or file.read() != digest.digest():
            raise UnreadableSnapshotError("it is damaged: its digest does not fit")
        file.seek(0)
        try:
            return _header_decoder.decode(file.readline(_HEADER_BYTES))
        except msgspec.MsgspecError as error:
            raise UnreadableSnapshotError(str(error)) from error


def _read(file: BinaryIO, pool: Pool) -> None:
    """Raises `UnreadableSnapshotError` before anything in the pool has changed."""
    file.readline(_HEADER_BYTES)
    bodies = _bodies(file)
    facts = decode_facts(next(bodies, b""))
    tasks: list[OpenTask] = []
    for body in bodies:
        tasks += decode_tasks(body, pool.words)
    if len(tasks) != facts.tasks:
        raise UnreadableSnapshotError(f"it holds {len(tasks)} tasks of {facts.tasks}")
    restore(pool, facts, tasks)


def _bodies(file: BinaryIO) -> Iterator[bytes]:
    while size := int.from_bytes(file.read(_LENGTH_BYTES), "big"):
        yield file.read(size)
