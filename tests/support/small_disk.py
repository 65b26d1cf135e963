"""A disk of a few MiB that a test may fill; needs the right to mount one (root)."""

import os
import shutil
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(at: Path, *, mib: int) -> Generator[Path]:
    """Mount it at a new directory; skips the test where that is not allowed."""
    mount, umount = shutil.which("mount"), shutil.which("umount")
    at.mkdir()
    if mount is None or umount is None:
        pytest.skip("needs mount and umount")
    options = ["-t", "tmpfs", "-o", f"size={mib}m", "tmpfs", str(at)]
    if subprocess.run([mount, *options], check=False, capture_output=True).returncode != 0:
        pytest.skip("needs the right to mount a tmpfs (root)")
    try:
        yield at
    finally:
        subprocess.run([umount, "-l", str(at)], check=True)


def fill(disk: Path) -> Path:
    """Take the last byte of a disk; what it returns gives the space back when it is deleted."""
    ballast = disk / "ballast"
    left = os.statvfs(disk)
    with ballast.open("wb", buffering=0) as file:
        try:
            for _ in range(left.f_bavail + 1):
                file.write(bytes(left.f_frsize))
        except OSError:
            return ballast
    return ballast
