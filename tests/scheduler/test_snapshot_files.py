"""Snapshots as files: whole and fitting, or passed over."""

from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from pointsman.scheduler.adapters.snapshot_files import SnapshotFiles
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.snapshot import pool_copy
from pointsman.scheduler.domain.snapshot.pool_copy import PoolCopy
from tests.support.busy_day import busy_day
from tests.support.pool_state import state
from tests.support.scheduling import folded

DAY = busy_day(seed=3, steps=60)
ENTRIES = DAY.history.entries
HEAD = len(ENTRIES)
LIFE = "a-life"


class CutShort(PoolCopy):
    """The disk is full before all is written."""

    def next(self, limit: int) -> bytes | None:
        raise OSError(28, "No space left on device")


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


async def saved(directory: Path, position: int = HEAD, *, name: str = "main") -> Path:
    copy = PoolCopy(folded(ENTRIES, up_to=position))
    await SnapshotFiles(directory).save(copy, pool=name, incarnation=LIFE)
    return directory / f"{name}-{position:012}.snapshot"


async def restored(directory: Path, *, head: int = HEAD, incarnation: str = LIFE) -> Pool:
    pool = Pool("main")
    await SnapshotFiles(directory).restore(pool, incarnation=incarnation, head=head)
    return pool


async def test_a_pool_is_written_and_read_back_equal(tmp_path: Path) -> None:
    path = await saved(tmp_path)

    pool = await restored(tmp_path)

    assert path.is_file()
    assert state(pool, DAY.now) == state(folded(ENTRIES), DAY.now)


async def test_nothing_is_restored_where_nothing_was_written(tmp_path: Path) -> None:
    pool = await restored(tmp_path / "snapshots")

    assert pool.applied_to == 0


async def test_the_newest_two_are_kept(tmp_path: Path) -> None:
    files, pool = SnapshotFiles(tmp_path), folded(ENTRIES[:10])
    for entry in ENTRIES[10:14]:
        pool.evolve(entry.position, entry.stream, entry.version, entry.event)
        await files.save(PoolCopy(pool), pool="main", incarnation=LIFE)

    assert names(tmp_path) == [
        "main-000000000013.snapshot",
        "main-000000000014.snapshot",
    ]


async def test_what_was_of_no_use_gives_way_to_what_is(tmp_path: Path) -> None:
    await saved(tmp_path, HEAD)
    files = SnapshotFiles(tmp_path)
    await files.restore(Pool("main"), incarnation="another-life", head=HEAD)

    copy = PoolCopy(folded(ENTRIES, up_to=5))
    await files.save(copy, pool="main", incarnation="another-life")

    assert names(tmp_path) == ["main-000000000005.snapshot"]


async def test_another_pools_snapshots_are_left_alone(tmp_path: Path) -> None:
    other = await saved(tmp_path, name="main-2")

    pool = await restored(tmp_path)
    await saved(tmp_path, 5)

    assert pool.applied_to == 0
    assert other.is_file()


def torn(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flipped(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def emptied(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [torn, flipped, emptied])
async def test_a_damaged_file_is_passed_over_for_the_one_before(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    files = SnapshotFiles(tmp_path)
    for position in (HEAD - 9, HEAD):
        copy = PoolCopy(folded(ENTRIES, up_to=position))
        await files.save(copy, pool="main", incarnation=LIFE)
    damage(tmp_path / f"main-{HEAD:012}.snapshot")

    with capture_logs() as lines:
        pool = await restored(tmp_path)

    assert pool.applied_to == HEAD - 9
    assert [line["event"] for line in lines] == ["snapshot_ignored", "snapshot_used"]


@pytest.mark.parametrize(
    ("head", "incarnation", "reason"),
    [
        (HEAD - 1, LIFE, f"it knows position {HEAD}, the log ends at {HEAD - 1}"),
        (HEAD, "another-life", "it is of another life of the log"),
    ],
)
async def test_what_does_not_fit_the_log_is_passed_over(
    tmp_path: Path, head: int, incarnation: str, reason: str
) -> None:
    await saved(tmp_path)

    with capture_logs() as lines:
        pool = await restored(tmp_path, head=head, incarnation=incarnation)

    assert pool.applied_to == 0
    assert [(line["log_level"], line["reason"]) for line in lines] == [("warning", reason)]


async def test_another_releases_snapshot_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await saved(tmp_path)
    monkeypatch.setattr(pool_copy, "VERSION", 99)
    pool_copy.snapshot_format.cache_clear()

    try:
        with capture_logs() as lines:
            pool = await restored(tmp_path)
    finally:
        monkeypatch.undo()
        pool_copy.snapshot_format.cache_clear()

    assert pool.applied_to == 0
    assert "its format is" in lines[0]["reason"]


async def test_a_write_that_is_cut_short_leaves_nothing(tmp_path: Path) -> None:
    copy = CutShort(folded(ENTRIES))

    with pytest.raises(OSError, match="No space left"):
        await SnapshotFiles(tmp_path).save(copy, pool="main", incarnation=LIFE)

    assert names(tmp_path) == []
