"""What a fault needs of the machine; where it is missing the skip names it, and `-ra` counts it."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Final

import pytest

from pointsman.testing.failing_fsync import FailingFsync, failing_fsync_missing
from pointsman.testing.lossy_disk import LossyDisk, lossy_disk, lossy_disk_missing
from pointsman.testing.sized_disk import SizedDisk, sized_disk, sized_disk_missing

SMALL: Final = 8 * 1024 * 1024


def require(missing: str | None) -> None:
    if missing is not None:
        pytest.skip(f"this fault needs {missing}")


@pytest.fixture
async def disk(tmp_path: Path) -> AsyncIterator[LossyDisk]:
    """A disk whose power can be cut."""
    require(lossy_disk_missing())
    async with lossy_disk(tmp_path / "lossy") as mounted:
        yield mounted


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SizedDisk]:
    """A disk of eight megabytes."""
    require(sized_disk_missing())
    with sized_disk(tmp_path / "small", SMALL) as mounted:
        yield mounted


@pytest.fixture
def failing_fsync(tmp_path: Path) -> FailingFsync:
    require(failing_fsync_missing())
    folder = tmp_path / "shim"
    folder.mkdir()
    return FailingFsync(folder)
