"""Payloads and results, stored by content; the log and the bus carry references only."""

import asyncio
import hashlib
import re
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, Protocol, TypeVar

from pointsman.contracts.message import BlobRef
from pointsman.runtime import durable_sqlite
from pointsman.runtime.errors import TransientError
from pointsman.runtime.file_lock import FileLock
from pointsman.runtime.group_commit import Batch, GroupCommit

MAX_BLOB_BYTES: Final = 64 * 1024 * 1024
"""A blob passes through memory whole, several times on its way to an engine."""

_PUT_TIMEOUT_S: Final = 10.0

# Below this, hashing and reading take less than the hop to a thread and back.
_INLINE_BYTES: Final = 64 * 1024

_SHARD_NAME: Final = re.compile(r"^[A-Za-z0-9_-]{1,64}$")
_SCHEMA_VERSION: Final = 1
_CREATE: Final = (
    "BEGIN IMMEDIATE;"
    " CREATE TABLE IF NOT EXISTS blob (id INTEGER PRIMARY KEY, digest TEXT NOT NULL UNIQUE,"
    " tenant TEXT NOT NULL, data BLOB NOT NULL);"
    f" PRAGMA user_version = {_SCHEMA_VERSION}; COMMIT;"
)
_INSERT: Final = "INSERT OR IGNORE INTO blob (digest, tenant, data) VALUES (?, ?, ?)"
_SELECT: Final = "SELECT data FROM blob WHERE digest = ? AND tenant = ?"

_ResultT = TypeVar("_ResultT")
_Row = tuple[str, str, bytes]


class BlobTooLargeError(Exception):
    """The sender must split or shrink the content."""

    code = "blob_too_large"

    def __init__(self, size: int) -> None:
        super().__init__(f"the content has {size} bytes, at most {MAX_BLOB_BYTES} are stored")
        self.size = size


class BlobMissingError(Exception):
    """The sender submits again; the operator looks whether the shard was moved or pruned."""

    code = "blob_missing"

    def __init__(self, ref: BlobRef, detail: str) -> None:
        super().__init__(
            f"blob {ref.digest} is not in shard {ref.shard!r} ({detail}): submit the task again, "
            "or restore the shard if it was moved"
        )
        self.ref = ref


class BlobCorruptError(Exception):
    """The operator checks the disk and restores the shard; the sender may submit again."""

    code = "blob_corrupt"

    def __init__(self, ref: BlobRef, detail: str) -> None:
        super().__init__(
            f"blob {ref.digest} in shard {ref.shard!r} is damaged ({detail}): check the disk and "
            "restore the shard from a backup, or submit the task again"
        )
        self.ref = ref


class BlobsUnavailableError(TransientError):
    """Stored or not is in doubt: repeat; the operator frees space if the disk is full."""

    code = "blobs_unavailable"

    def __init__(self, detail: str) -> None:
        super().__init__(f"the blob store does not answer: {detail}; repeat the request")


class Blobs(Protocol):
    """A store of immutable contents, separate per tenant."""

    async def put(self, tenant: str, data: bytes, media_type: str) -> BlobRef:
        """Durable when it returns. Raises `BlobTooLargeError` and `BlobsUnavailableError`."""
        ...

    async def get(self, tenant: str, ref: BlobRef) -> bytes:
        """The content, checked against its digest; another tenant's content is missing.

        Raises `BlobMissingError`, `BlobCorruptError` and `BlobsUnavailableError`.
        """
        ...

    async def close(self) -> None:
        """Finish what was begun and release the store."""
        ...


def digest(tenant: str, data: bytes) -> str:
    """The address of a content, see `BlobRef.digest`."""
    state = hashlib.sha256(tenant.encode() + b"\0")
    state.update(data)
    return state.hexdigest()


def require_size(data: bytes) -> None:
    """Raise `BlobTooLargeError` above `MAX_BLOB_BYTES`."""
    if len(data) > MAX_BLOB_BYTES:
        raise BlobTooLargeError(len(data))


class _Insert:
    """Implements `group_commit.Transaction`: contents that are there already stay as they are."""

    def run(self, connection: sqlite3.Connection, jobs: Sequence[_Row]) -> Batch[None]:
        connection.executemany(_INSERT, jobs)
        return Batch([None] * len(jobs))

    def forget(self) -> None:
        """Nothing is remembered between transactions."""


class ShardReads:
    """Read connections to shards, opened at first use. One thread at a time."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._connections: dict[str, sqlite3.Connection] = {}

    def get(self, tenant: str, ref: BlobRef) -> bytes:
        try:
            row = self._shard(ref).execute(_SELECT, (ref.digest, tenant)).fetchone()
        except sqlite3.OperationalError as error:
            raise BlobsUnavailableError(str(error)) from error
        except sqlite3.DatabaseError as error:
            raise BlobCorruptError(ref, str(error)) from error
        if row is None:
            raise BlobMissingError(ref, "no such content")
        data: object = row[0]
        if not isinstance(data, bytes) or digest(tenant, data) != ref.digest:
            raise BlobCorruptError(ref, "the content does not match its digest")
        return data

    def _shard(self, ref: BlobRef) -> sqlite3.Connection:
        connection = self._connections.get(ref.shard)
        if connection is None:
            # A reference comes with a message, so its shard must not become any path.
            if not _SHARD_NAME.match(ref.shard):
                raise BlobMissingError(ref, "not the name of a shard")
            path = self._directory / f"{ref.shard}.db"
            if not path.exists():
                raise BlobMissingError(ref, "no such shard")
            connection = self._connections[ref.shard] = durable_sqlite.connect_reader(path)
        return connection

    def close(self) -> None:
        for connection in self._connections.values():
            connection.close()
        self._connections.clear()


class SqliteBlobs:
    """Implements `Blobs` in a directory with one shard file per writing process.

    Every process reads all shards and writes `<directory>/<writer>.db`; identical content is
    stored once per shard. Used from one event loop. Raises `FileInUseError` when another
    process has the same `writer`, `UnsafeSettingsError` and `sqlite3.Error`.
    """

    def __init__(self, directory: Path, writer: str) -> None:
        if not _SHARD_NAME.match(writer):
            raise ValueError(f"shard name {writer!r} must match {_SHARD_NAME.pattern}")
        directory.mkdir(parents=True, exist_ok=True)
        path = directory / f"{writer}.db"
        self._writer = writer
        self._lock = FileLock(path)
        try:
            connection = durable_sqlite.connect_writer(path)
            connection.executescript(_CREATE)
        except BaseException:
            self._lock.release()
            raise
        self._commits: GroupCommit[_Row, None] = GroupCommit(
            connection, _Insert(), name="blob-writer", unavailable=BlobsUnavailableError
        )
        self._inline = ShardReads(directory)
        self._threaded = ShardReads(directory)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="blob-reader")

    async def put(self, tenant: str, data: bytes, media_type: str) -> BlobRef:
        require_size(data)
        address = await self._off_loop(len(data), lambda: digest(tenant, data))
        await self._commits.submit((address, tenant, data), timeout_s=_PUT_TIMEOUT_S)
        return BlobRef(digest=address, size=len(data), media_type=media_type, shard=self._writer)

    async def get(self, tenant: str, ref: BlobRef) -> bytes:
        if ref.size <= _INLINE_BYTES:
            return self._inline.get(tenant, ref)
        return await self._off_loop(ref.size, lambda: self._threaded.get(tenant, ref))

    async def close(self) -> None:
        """Store and answer what waits, then release the shard for another process."""
        await self._commits.close()
        await asyncio.to_thread(self._thread.shutdown)
        self._inline.close()
        self._threaded.close()
        self._lock.release()

    async def _off_loop(self, size: int, work: Callable[[], _ResultT]) -> _ResultT:
        if size <= _INLINE_BYTES:
            return work()
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)
