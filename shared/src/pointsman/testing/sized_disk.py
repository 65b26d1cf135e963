"""A disk of a few megabytes that can be filled, and made larger (Linux, root)."""

import os
import shutil
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


def sized_disk_missing() -> str | None:
    """What keeps a sized disk from being mounted here; None: nothing does."""
    if not sys.platform.startswith("linux"):
        return "Linux"
    if os.geteuid() != 0:
        return "root, who alone may mount"
    if shutil.which("mount") is None or shutil.which("umount") is None:
        return "mount and umount"
    return None


@dataclass(frozen=True, slots=True)
class SizedDisk:
    """A disk in memory, mounted at `path`."""

    path: Path

    @property
    def free(self) -> int:
        """Bytes that are left."""
        found = os.statvfs(self.path)
        return found.f_bavail * found.f_frsize

    def resize(self, size: int) -> None:
        """Give it `size` bytes; what is on it stays, even where that is more."""
        _run("mount", "-o", f"remount,size={size}", str(self.path))

    def fill(self) -> Path:
        """Take what is left; gives the file that does it, for whoever deletes it later."""
        ballast = self.path / "ballast"
        with ballast.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, self.free)
        return ballast


@contextmanager
def sized_disk(path: Path, size: int) -> Generator[SizedDisk]:
    """Mount an empty disk of `size` bytes at a new directory until the block ends.

    Ask `sized_disk_missing` before to skip.

    Raises:
        subprocess.CalledProcessError: this root may not mount, as in some containers.
    """
    path.mkdir()
    _run("mount", "-t", "tmpfs", "-o", f"size={size},mode=777", "tmpfs", str(path))
    try:
        yield SizedDisk(path)
    finally:
        # Lazy, for a process that a failed test has left behind.
        _run("umount", "--lazy", str(path))


def _run(program: str, *arguments: str) -> None:
    subprocess.run([shutil.which(program) or program, *arguments], check=True, capture_output=True)
