"""A disk that forgets what was not synced, mounted for as long as a test needs it (Linux, FUSE)."""

import asyncio
import importlib.util
import os
import shutil
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from pointsman.testing.waiting import wait_until

_MOUNTED_S: Final = 10.0
_ENDED_S: Final = 2.0


def lossy_disk_missing() -> str | None:
    """What keeps a lossy disk from being mounted here; None: nothing does."""
    if importlib.util.find_spec("mfusepy") is None:
        return "the package mfusepy"
    if shutil.which("fusermount3") is None:
        return "fusermount3 (Debian: fuse3)"
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        return "/dev/fuse"
    return None


class LossyDisk:
    """What happens to the disk at `path`; its files live in a process of its own."""

    def __init__(
        self, path: Path, requests: asyncio.StreamWriter, answers: asyncio.StreamReader
    ) -> None:
        self.path = path
        self._requests = requests
        self._answers = answers

    async def power_cut(self, *, share: float = 0.0, seed: int = 0) -> int:
        """Forget what was not synced; from now on every operation fails with EIO.

        `share` of the unsynced pages reach the disk all the same, drawn from `seed`. Gives how
        many files and directories lost something. End whoever used the disk, then `power_on`.
        """
        answer = await self._ask(f"cut {share} {seed}")
        return int(answer.removeprefix("lost "))

    async def power_on(self) -> None:
        """Work again, with what was left."""
        await self._ask("on")

    async def sync(self) -> None:
        """Take everything as written long ago."""
        await self._ask("sync")

    async def fail_syncs(self, part: str) -> None:
        """Let `fsync` fail with EIO for paths that contain `part` (a word), until `heal`."""
        await self._ask(f"fail {part}")

    async def heal(self) -> None:
        await self._ask("heal")

    async def _ask(self, request: str) -> str:
        self._requests.write(f"{request}\n".encode())
        answer = (await self._answers.readline()).decode().strip()
        if not answer.startswith(("done", "lost")):
            message = f"the lossy disk at {self.path} answered {request!r} with {answer!r}"
            raise AssertionError(message)
        return answer


@asynccontextmanager
async def lossy_disk(path: Path) -> AsyncGenerator[LossyDisk]:
    """Mount an empty disk at a new directory until the block ends.

    Ask `lossy_disk_missing` before to skip.
    """
    unmount = shutil.which("fusermount3") or "fusermount3"
    path.mkdir()  # noqa: ASYNC240 - one directory, at the start of a test
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "pointsman.testing.lossy_mount", str(path), unmount,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        await wait_until(
            lambda: process.returncode is not None or path.is_mount(),
            timeout_s=_MOUNTED_S,
            message=f"a mount at {path}",
        )
        if process.stdin is None or process.stdout is None or process.returncode is not None:
            message = f"the file system at {path} has ended"
            raise AssertionError(message)
        yield LossyDisk(path, process.stdin, process.stdout)
    finally:
        await _end(process)


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.stdin is not None:
        # The end of its input ends the mount.
        process.stdin.close()
    try:
        async with asyncio.timeout(_ENDED_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
