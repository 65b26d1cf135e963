"""A disk that can be filled and made larger."""

import errno

import pytest

from pointsman.testing.sized_disk import SizedDisk


def test_a_full_disk_takes_nothing_until_there_is_room(small_disk: SizedDisk) -> None:
    ballast = small_disk.fill()
    file = small_disk.path / "file"

    with pytest.raises(OSError, match="No space left") as caught:
        file.write_bytes(b"content")
    assert caught.value.errno == errno.ENOSPC

    ballast.unlink()
    file.write_bytes(b"content")


def test_it_can_be_made_larger(small_disk: SizedDisk) -> None:
    small_disk.fill()

    small_disk.resize(16 * 1024 * 1024)

    (small_disk.path / "file").write_bytes(bytes(1024 * 1024))
