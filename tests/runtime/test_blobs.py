import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from pointsman.contracts.message import BlobRef
from pointsman.runtime.blobs import (
    BlobCorruptError,
    BlobMissingError,
    BlobsUnavailableError,
    SqliteBlobs,
)
from pointsman.runtime.file_lock import FileInUseError
from pointsman.testing.memory_blobs import MemoryBlobs
from tests.support.blobs_contract import BlobsContract
from tests.support.small_disk import fill, small_disk


class TestMemoryBlobs(BlobsContract):
    @pytest.fixture
    def blobs(self) -> MemoryBlobs:
        return MemoryBlobs()


class TestSqliteBlobs(BlobsContract):
    @pytest.fixture
    async def blobs(self, tmp_path: Path) -> AsyncIterator[SqliteBlobs]:
        blobs = SqliteBlobs(tmp_path, "scheduler")
        yield blobs
        await blobs.close()


@pytest.fixture
async def blobs(tmp_path: Path) -> AsyncIterator[SqliteBlobs]:
    blobs = SqliteBlobs(tmp_path, "scheduler")
    yield blobs
    await blobs.close()


def damage(shard: Path) -> None:
    """Replaces the stored content behind its digest."""
    with closing(sqlite3.connect(shard, isolation_level=None)) as connection:
        change = "UPDATE blob SET data = CAST(x'00' || data AS BLOB)"
        assert connection.execute(change).rowcount == 1


def turn_into_text(shard: Path) -> None:
    """Replaces the storage class of the stored content."""
    with closing(sqlite3.connect(shard, isolation_level=None)) as connection:
        assert connection.execute("UPDATE blob SET data = 'text'").rowcount == 1


async def test_a_damaged_content_is_never_returned_by_the_store_in_memory() -> None:
    blobs = MemoryBlobs()
    ref = await blobs.put("acme", b"hello", "text/plain")

    blobs.corrupt("acme", ref)

    with pytest.raises(BlobCorruptError):
        await blobs.get("acme", ref)


@pytest.mark.parametrize("spoil", [damage, turn_into_text])
@pytest.mark.parametrize("size", [5, 100_000])
async def test_a_damaged_content_is_never_returned(
    blobs: SqliteBlobs, tmp_path: Path, size: int, spoil: Callable[[Path], None]
) -> None:
    ref = await blobs.put("acme", bytes(size), "text/plain")

    spoil(tmp_path / "scheduler.db")

    with pytest.raises(BlobCorruptError, match="digest"):
        await blobs.get("acme", ref)


async def test_a_damaged_shard_is_told_from_a_missing_content(
    blobs: SqliteBlobs, tmp_path: Path
) -> None:
    (tmp_path / "other.db").write_bytes(b"not a database, and long enough to see it" * 100)
    ref = BlobRef(digest="0" * 64, size=1, media_type="text/plain", shard="other")

    with pytest.raises(BlobCorruptError, match="backup"):
        await blobs.get("acme", ref)


async def test_identical_content_is_stored_once(blobs: SqliteBlobs, tmp_path: Path) -> None:
    await asyncio.gather(*(blobs.put("acme", b"hello", "text/plain") for _ in range(20)))
    await blobs.put("acme", b"hello", "text/html")

    with closing(sqlite3.connect(tmp_path / "scheduler.db")) as connection:
        assert connection.execute("SELECT count(*) FROM blob").fetchone() == (1,)


async def test_writers_read_the_shards_of_each_other(blobs: SqliteBlobs, tmp_path: Path) -> None:
    other = SqliteBlobs(tmp_path, "executor")
    early = await other.put("acme", b"early", "text/plain")
    assert await blobs.get("acme", early) == b"early"

    late = await other.put("acme", bytes(100_000), "text/plain")

    assert await blobs.get("acme", late) == bytes(100_000)
    ours = await blobs.put("acme", b"ours", "text/plain")
    assert await other.get("acme", ours) == b"ours"
    await other.close()


async def test_a_content_that_was_put_survives_the_kill_of_its_writer(
    blobs: SqliteBlobs, tmp_path: Path
) -> None:
    program = (
        "import asyncio, os, signal, sys\n"
        "from pathlib import Path\n"
        "from pointsman.runtime.blobs import SqliteBlobs\n"
        "async def main():\n"
        "    blobs = SqliteBlobs(Path(sys.argv[1]), 'executor')\n"
        "    ref = await blobs.put('acme', b'result', 'text/plain')\n"
        "    print(ref.digest, flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "asyncio.run(main())\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    run = await asyncio.to_thread(
        subprocess.run, command, check=False, capture_output=True, text=True
    )

    ref = BlobRef(digest=run.stdout.strip(), size=6, media_type="text/plain", shard="executor")

    assert run.returncode == -9
    assert await blobs.get("acme", ref) == b"result"


async def test_a_shard_has_one_writer(blobs: SqliteBlobs, tmp_path: Path) -> None:
    with pytest.raises(FileInUseError):
        SqliteBlobs(tmp_path, "scheduler")


@pytest.mark.parametrize("writer", ["", "../x", "a/b", "a.db", "x" * 65])
def test_a_writer_whose_name_is_no_file_name_is_refused(tmp_path: Path, writer: str) -> None:
    with pytest.raises(ValueError, match="shard"):
        SqliteBlobs(tmp_path, writer)


async def test_a_closed_store_is_unavailable_and_its_shard_free(
    blobs: SqliteBlobs, tmp_path: Path
) -> None:
    ref = await blobs.put("acme", b"hello", "text/plain")

    await blobs.close()

    with pytest.raises(BlobsUnavailableError):
        await blobs.put("acme", b"more", "text/plain")
    again = SqliteBlobs(tmp_path, "scheduler")
    assert await again.get("acme", ref) == b"hello"
    await again.close()


async def test_a_content_under_a_false_size_is_still_checked(blobs: SqliteBlobs) -> None:
    ref = await blobs.put("acme", bytes(100_000), "text/plain")

    assert await blobs.get("acme", msgspec.structs.replace(ref, size=1)) == bytes(100_000)
    with pytest.raises(BlobMissingError):
        await blobs.get("acme", msgspec.structs.replace(ref, digest="f" * 64, size=1))


async def test_a_full_disk_is_said_loses_nothing_and_works_again_with_space(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", mib=4) as disk:
        blobs = SqliteBlobs(disk / "blobs", "scheduler")
        kept = await blobs.put("acme", b"before", "text/plain")
        ballast = fill(disk)

        with pytest.raises(BlobsUnavailableError, match="full") as refused:
            await blobs.put("acme", bytes(1_000_000), "text/plain")
        ballast.unlink()
        again = await blobs.put("acme", b"after", "text/plain")

        assert refused.value.code == "blobs_unavailable"
        assert await blobs.get("acme", kept) == b"before"
        assert await blobs.get("acme", again) == b"after"
        await blobs.close()
