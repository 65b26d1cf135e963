"""Payloads and results, stored by content; the log and the bus carry references only."""

import asyncio
import hashlib
import re
import sqlite3
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Protocol, TypeVar, cast

from pointsman.contracts.message import BlobRef
from pointsman.runtime import blob_rows as sql
from pointsman.runtime import durable_sqlite
from pointsman.runtime.blob_rows import BlobKind
from pointsman.runtime.errors import TransientError
from pointsman.runtime.file_lock import FileLock
from pointsman.runtime.group_commit import GroupCommit
from pointsman.runtime.waiting_jobs import Batch

MAX_BLOB_BYTES: Final = 64 * 1024 * 1024
"""A blob passes through memory whole, several times on its way to an engine."""

_PUT_TIMEOUT_S: Final = 10.0

# Below this, hashing and reading take less than the hop to a thread and back.
_INLINE_BYTES: Final = 64 * 1024

_SHARD_NAME: Final = re.compile(r"^[A-Za-z0-9_-]{1,64}$")

_ResultT = TypeVar("_ResultT")
_Row = tuple[str, str, bytes, str, int]


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


class BlobExpiredError(BlobMissingError):
    """The content was kept for as long as the operator wanted; the sender submits again."""

    code = "blob_expired"

    def __init__(self, ref: BlobRef, swept_at: int) -> None:
        when = datetime.fromtimestamp(swept_at, UTC).isoformat(timespec="seconds")
        Exception.__init__(
            self,
            f"blob {ref.digest} was deleted at {when}, when its time was over: submit the task "
            "again, and fetch the result sooner or have it kept for longer",
        )
        self.ref = ref
        self.swept_at = swept_at


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

    async def put(
        self, tenant: str, data: bytes, media_type: str, kind: BlobKind = BlobKind.KEPT
    ) -> BlobRef:
        """Durable when it returns; `kind` says for how long it is kept.

        Raises `BlobTooLargeError` and `BlobsUnavailableError`.
        """
        ...

    async def get(self, tenant: str, ref: BlobRef) -> bytes:
        """The content, checked against its digest; another tenant's content is missing.

        Raises `BlobMissingError` (for a while `BlobExpiredError`), `BlobCorruptError` and
        `BlobsUnavailableError`.
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
        connection.executemany(sql.INSERT, jobs)
        return Batch([None] * len(jobs))

    def forget(self) -> None:
        """Nothing is remembered between transactions."""


class ShardReads:
    """Read connections to shards, opened at first use. One thread at a time."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._connections: dict[str, tuple[sqlite3.Connection, str]] = {}

    def get(self, tenant: str, ref: BlobRef) -> bytes:
        try:
            shard, select = self._shard(ref)
            row = shard.execute(select, (ref.digest, tenant)).fetchone()
        except sqlite3.OperationalError as error:
            raise BlobsUnavailableError(str(error)) from error
        except sqlite3.DatabaseError as error:
            raise BlobCorruptError(ref, str(error)) from error
        if row is None:
            raise BlobMissingError(ref, "no such content")
        data, swept_at = cast("tuple[object, int | None]", row)
        if swept_at is not None:
            raise BlobExpiredError(ref, swept_at)
        if not isinstance(data, bytes) or digest(tenant, data) != ref.digest:
            raise BlobCorruptError(ref, "the content does not match its digest")
        return data

    def _shard(self, ref: BlobRef) -> tuple[sqlite3.Connection, str]:
        shard = self._connections.get(ref.shard)
        if shard is None:
            # A reference comes with a message, so its shard must not become any path.
            if not _SHARD_NAME.match(ref.shard):
                raise BlobMissingError(ref, "not the name of a shard")
            path = self._directory / f"{ref.shard}.db"
            if not path.exists():
                raise BlobMissingError(ref, "no such shard")
            connection = durable_sqlite.connect_reader(path)
            shard = self._connections[ref.shard] = (connection, sql.select_statement(connection))
        return shard

    def close(self) -> None:
        for connection, _ in self._connections.values():
            connection.close()
        self._connections.clear()


class SqliteBlobs:
    """Implements `Blobs` in a directory with one shard file per writing process.

    Every process reads all shards and writes `<directory>/<writer>.db`; identical content is
    stored once per shard. Used from one event loop. Raises `FileInUseError` when another
    process has the same `writer`, `UnsafeSettingsError` and `sqlite3.Error`.
    """

    def __init__(
        self, directory: Path, writer: str, *, clock: Callable[[], float] = time.time
    ) -> None:
        if not _SHARD_NAME.match(writer):
            raise ValueError(f"shard name {writer!r} must match {_SHARD_NAME.pattern}")
        directory.mkdir(parents=True, exist_ok=True)
        path = directory / f"{writer}.db"
        self._writer = writer
        self._clock = clock
        self._lock = FileLock(path)
        try:
            connection = durable_sqlite.connect_writer(path)
            sql.create_table(connection)
        except BaseException:
            self._lock.release()
            raise
        self._commits: GroupCommit[_Row, None] = GroupCommit(
            connection, _Insert(), name="blob-writer", unavailable=BlobsUnavailableError
        )
        self._inline = ShardReads(directory)
        self._threaded = ShardReads(directory)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="blob-reader")

    async def put(
        self, tenant: str, data: bytes, media_type: str, kind: BlobKind = BlobKind.KEPT
    ) -> BlobRef:
        require_size(data)
        address = await self._off_loop(len(data), lambda: digest(tenant, data))
        await self._commits.submit(
            (address, tenant, data, kind, int(self._clock())), timeout_s=_PUT_TIMEOUT_S
        )
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
