"""Contents whose time is over: swept in small steps, and whoever asks is told."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from pointsman.runtime.blob_rows import BlobKind
from pointsman.runtime.blob_sweep import BlobSweep
from pointsman.runtime.blobs import BlobExpiredError, BlobMissingError, SqliteBlobs
from pointsman.testing.clock import FakeClock

DAY_S = 86_400.0
KEEP_S = {
    BlobKind.PAYLOAD: 7 * DAY_S,
    BlobKind.RESULT: 7 * DAY_S,
    BlobKind.CHECKPOINT: 1 * DAY_S,
    BlobKind.DEAD_LETTER: 30 * DAY_S,
}


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def blobs(tmp_path: Path, clock: FakeClock) -> AsyncIterator[SqliteBlobs]:
    blobs = SqliteBlobs(tmp_path, "scheduler", clock=clock.wall)
    yield blobs
    await blobs.close()


@pytest.fixture
def sweep(tmp_path: Path, clock: FakeClock) -> BlobSweep:
    return BlobSweep(tmp_path, KEEP_S, clock=clock.wall)


@pytest.mark.parametrize(
    ("kind", "kept_days"),
    [
        *((BlobKind.PAYLOAD, 7), (BlobKind.RESULT, 7), (BlobKind.DEAD_LETTER, 30)),
        (BlobKind.CHECKPOINT, 1),
    ],
)
async def test_a_content_is_kept_for_its_time_and_no_longer(
    blobs: SqliteBlobs, sweep: BlobSweep, clock: FakeClock, kind: BlobKind, kept_days: int
) -> None:
    ref = await blobs.put("acme", b"a text", "text/plain", kind)

    clock.passes(kept_days * DAY_S - 1)
    early = await sweep.sweep()
    still = await blobs.get("acme", ref)
    clock.passes(2)
    late = await sweep.sweep()

    assert (early, late) == (0, 1)
    assert still == b"a text"
    with pytest.raises(BlobExpiredError, match="its time was over"):
        await blobs.get("acme", ref)


async def test_what_others_need_for_ever_is_never_swept(
    blobs: SqliteBlobs, sweep: BlobSweep, clock: FakeClock
) -> None:
    ref = await blobs.put("acme", b"a text", "text/plain", BlobKind.KEPT)

    clock.passes(1000 * DAY_S)
    await sweep.sweep()

    assert await blobs.get("acme", ref) == b"a text"


@pytest.mark.parametrize(
    "kinds", [(BlobKind.KEPT, BlobKind.RESULT), (BlobKind.RESULT, BlobKind.KEPT)]
)
async def test_of_two_purposes_the_longer_one_holds(
    blobs: SqliteBlobs, sweep: BlobSweep, clock: FakeClock, kinds: tuple[BlobKind, BlobKind]
) -> None:
    refs = [await blobs.put("acme", b"a text", "text/plain", kind) for kind in kinds]

    clock.passes(1000 * DAY_S)
    await sweep.sweep()

    assert await blobs.get("acme", refs[0]) == b"a text"


@pytest.mark.parametrize(
    "kinds", [(BlobKind.CHECKPOINT, BlobKind.RESULT), (BlobKind.RESULT, BlobKind.CHECKPOINT)]
)
async def test_a_checkpoint_that_is_a_result_as_well_is_kept_as_one(
    blobs: SqliteBlobs, sweep: BlobSweep, clock: FakeClock, kinds: tuple[BlobKind, BlobKind]
) -> None:
    refs = [await blobs.put("acme", b"a text", "text/plain", kind) for kind in kinds]

    clock.passes(6 * DAY_S)
    await sweep.sweep()

    assert await blobs.get("acme", refs[0]) == b"a text"


async def test_what_is_used_again_is_kept_for_longer(
    blobs: SqliteBlobs, sweep: BlobSweep, clock: FakeClock
) -> None:
    put_again = await blobs.put("acme", b"again", "text/plain", BlobKind.PAYLOAD)
    in_use = await blobs.put("acme", b"in use", "text/plain", BlobKind.PAYLOAD)
    unused = await blobs.put("acme", b"unused", "text/plain", BlobKind.PAYLOAD)

    clock.passes(6 * DAY_S)
    await blobs.put("acme", b"again", "text/plain", BlobKind.PAYLOAD)
    await sweep.use([("acme", in_use)])
    clock.passes(6 * DAY_S)

    assert await sweep.sweep() == 1
    assert await blobs.get("acme", put_again) == b"again"
    assert await blobs.get("acme", in_use) == b"in use"
    with pytest.raises(BlobExpiredError):
        await blobs.get("acme", unused)


async def test_what_was_swept_can_be_put_again(
    blobs: SqliteBlobs, sweep: BlobSweep, clock: FakeClock
) -> None:
    ref = await blobs.put("acme", b"a text", "text/plain", BlobKind.RESULT)
    clock.passes(8 * DAY_S)
    await sweep.sweep()

    again = await blobs.put("acme", b"a text", "text/plain", BlobKind.RESULT)

    assert again == ref
    assert await blobs.get("acme", ref) == b"a text"


async def test_in_the_end_nothing_is_left_of_it(
    blobs: SqliteBlobs, sweep: BlobSweep, clock: FakeClock
) -> None:
    ref = await blobs.put("acme", b"a text", "text/plain", BlobKind.RESULT)
    clock.passes(8 * DAY_S)
    await sweep.sweep()
    clock.passes(8 * DAY_S)

    await sweep.sweep()

    with pytest.raises(BlobMissingError) as told:
        await blobs.get("acme", ref)
    assert told.value.code == "blob_missing"


async def test_many_contents_of_several_shards_are_swept_in_steps(
    blobs: SqliteBlobs, tmp_path: Path, sweep: BlobSweep, clock: FakeClock
) -> None:
    other = SqliteBlobs(tmp_path, "executor-1", clock=clock.wall)
    for number in range(150):
        await blobs.put("acme", f"{number}".encode(), "text/plain", BlobKind.PAYLOAD)
        await other.put("acme", f"{number}".encode(), "text/plain", BlobKind.RESULT)
    clock.passes(8 * DAY_S)

    swept = await sweep.sweep()
    await other.close()

    assert swept == 300


async def test_a_shard_of_an_earlier_release_is_read_and_kept(
    tmp_path: Path, sweep: BlobSweep, clock: FakeClock
) -> None:
    writer = SqliteBlobs(tmp_path, "old", clock=clock.wall)
    ref = await writer.put("acme", b"a text", "text/plain")
    await writer.close()
    with closing(sqlite3.connect(tmp_path / "old.db", isolation_level=None)) as shard:
        shard.execute("DROP INDEX blob_by_use")
        for column in ("kind", "used_at", "swept_at"):
            shard.execute(f"ALTER TABLE blob DROP COLUMN {column}")
        shard.execute("PRAGMA user_version = 1")
    reader = SqliteBlobs(tmp_path, "reader", clock=clock.wall)

    before = await reader.get("acme", ref)
    clock.passes(1000 * DAY_S)
    await sweep.sweep()
    await reader.close()
    reader = SqliteBlobs(tmp_path, "reader", clock=clock.wall)

    assert before == b"a text"
    assert await reader.get("acme", ref) == b"a text"
    await reader.close()
