"""A lock on a file that one process may hold, freed however that process ends."""

import fcntl
import os
from pathlib import Path

from pointsman.runtime.errors import FatalError


class FileInUseError(FatalError):
    """Another process holds the lock; the operator stops it or uses another file."""

    code = "file_in_use"

    def __init__(self, path: Path, *, pid: int | None) -> None:
        holder = "another process" if pid is None else f"process {pid}"
        super().__init__(
            f"{holder} writes to {path}, and only one may.",
            next_step="Stop it, or name another file.",
        )
        self.path = path
        self.pid = pid


class FileLock:
    """Held from construction to `release`; `<path>.lock` names the holder's pid.

    Raises `FileInUseError`, also when this very process holds it already.
    """

    def __init__(self, path: Path) -> None:
        lock = path.with_name(path.name + ".lock")
        self._descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(self._descriptor, 32).decode("ascii", errors="replace").strip()
            os.close(self._descriptor)
            raise FileInUseError(path, pid=int(holder) if holder.isdigit() else None) from None
        os.ftruncate(self._descriptor, 0)
        os.write(self._descriptor, f"{os.getpid()}\n".encode())

    def release(self) -> None:
        """Does nothing the second time."""
        # The file stays: unlinking it would let two processes lock two files of the same name.
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)
