"""`python -m pointsman.testing.lossy_mount DIRECTORY`: a `LossyTree` as a file system of Linux.

Reads one request per line from standard input and answers each with one line:
`cut SHARE SEED` -> `lost N`; `on`, `sync`, `fail PART`, `heal` -> `done`. The end of the input ends
the mount.
"""

import errno
import os
import random
import subprocess
import sys
import threading
from collections.abc import Sequence
from itertools import count
from typing import Any, Final

import mfusepy

from pointsman.testing.lossy_tree import Directory, File, LossyTree

_BLOCK: Final = 4096
_BLOCKS: Final = 1 << 22
# What the kernel gives for an owner that is not to change.
_AS_IT_IS: Final = (-1, 0xFFFFFFFF)


class LossyMount(mfusepy.Operations):
    """Answers the kernel; one request at a time."""

    use_ns = True

    def __init__(self) -> None:
        self.tree = LossyTree()
        self.turn = threading.RLock()
        self._open: dict[int, File] = {}
        self._handles = count(1)

    def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:  # noqa: ARG002 - the library's signature
        with self.turn:
            node = self.tree.find(path)
            at = int(node.changed_at * 1e9)
            directory = isinstance(node, Directory)
            return {
                "st_mode": node.mode,
                "st_nlink": 2 if directory else 1,
                "st_size": _BLOCK if isinstance(node, Directory) else len(node.content),
                "st_uid": node.owner[0],
                "st_gid": node.owner[1],
                "st_atime": at,
                "st_mtime": at,
                "st_ctime": at,
            }

    def readdir(self, path: str, fh: int) -> list[str]:  # noqa: ARG002 - the library's signature
        with self.turn:
            return [".", "..", *self.tree.directory(path).names]

    def create(self, path: str, mode: int, fi: Any = None) -> int:  # noqa: ANN401, ARG002 - the library's own
        with self.turn:
            return self._opened(self.tree.create(path, mode, _caller()))

    def open(self, path: str, flags: int) -> int:
        with self.turn:
            file = self.tree.file(path)
            if flags & os.O_TRUNC:
                file.resize(0)
            return self._opened(file)

    def release(self, path: str, fh: int) -> int:  # noqa: ARG002 - the library's signature
        with self.turn:
            self._open.pop(fh, None)
        return 0

    def read(self, path: str, size: int, offset: int, fh: int) -> bytes:  # noqa: ARG002 - the library's signature
        with self.turn:
            return bytes(self._file(fh).content[offset : offset + size])

    def write(self, path: str, data: bytes, offset: int, fh: int) -> int:  # noqa: ARG002 - the library's signature
        with self.turn:
            self._file(fh).write(data, offset)
        return len(data)

    def truncate(self, path: str, length: int, fh: int | None = None) -> int:  # noqa: ARG002 - the library's signature
        with self.turn:
            self.tree.file(path).resize(length)
        return 0

    def fsync(self, path: str, datasync: int, fh: int) -> int:  # noqa: ARG002 - the library's signature
        with self.turn:
            self.tree.sync(path, self._file(fh))
        return 0

    def fsyncdir(self, path: str, datasync: int, fh: int) -> int:  # noqa: ARG002 - the library's signature
        with self.turn:
            self.tree.sync_directory(path)
        return 0

    def mkdir(self, path: str, mode: int) -> int:
        with self.turn:
            self.tree.make_directory(path, mode, _caller())
        return 0

    def rmdir(self, path: str) -> int:
        with self.turn:
            self.tree.remove_directory(path)
        return 0

    def unlink(self, path: str) -> int:
        with self.turn:
            self.tree.remove(path)
        return 0

    def rename(self, old: str, new: str) -> int:
        with self.turn:
            self.tree.rename(old, new)
        return 0

    def chmod(self, path: str, mode: int) -> int:
        with self.turn:
            node = self.tree.find(path)
            node.mode = (node.mode & ~0o7777) | (mode & 0o7777)
        return 0

    def chown(self, path: str, uid: int, gid: int) -> int:
        with self.turn:
            node = self.tree.find(path)
            old_uid, old_gid = node.owner
            node.owner = (
                old_uid if uid in _AS_IT_IS else uid,
                old_gid if gid in _AS_IT_IS else gid,
            )
        return 0

    def utimens(self, path: str, times: tuple[int, int] | None = None) -> int:
        with self.turn:
            if times is not None:
                self.tree.find(path).changed_at = times[1] / 1e9
        return 0

    def statfs(self, path: str) -> dict[str, int]:  # noqa: ARG002 - the library's signature
        free = {"f_bfree": _BLOCKS, "f_bavail": _BLOCKS, "f_ffree": _BLOCKS, "f_files": _BLOCKS}
        return {"f_bsize": _BLOCK, "f_frsize": _BLOCK, "f_blocks": _BLOCKS, **free}

    def forget_open_files(self) -> None:
        """Whoever had some is gone with the power."""
        self._open.clear()

    def _opened(self, file: File) -> int:
        handle = next(self._handles)
        self._open[handle] = file
        return handle

    def _file(self, handle: int) -> File:
        if not self.tree.powered or handle not in self._open:
            raise OSError(errno.EIO, "no power")
        return self._open[handle]


def _caller() -> tuple[int, int]:
    uid, gid, _ = mfusepy.fuse_get_context()
    return int(uid), int(gid)


def _obey(mount: LossyMount, words: Sequence[str]) -> str:
    with mount.turn:
        match words:
            case ["cut", share, seed]:
                return f"lost {mount.tree.cut(float(share), random.Random(seed))}"
            case ["on"]:
                mount.forget_open_files()
                mount.tree.power_on()
            case ["sync"]:
                mount.tree.sync_everything()
            case ["fail", part]:
                mount.tree.fail_syncs = part
            case ["heal"]:
                mount.tree.fail_syncs = None
            case _:
                return f"unknown {words!r}"
    return "done"


def _listen(mount: LossyMount, directory: str, unmount: str) -> None:
    for line in sys.stdin:
        print(_obey(mount, line.split()), flush=True)  # noqa: T201 - the protocol's answer
    subprocess.run([unmount, "-u", "-z", directory], check=False)


def main(directory: str, unmount: str) -> None:
    mount = LossyMount()
    listener = threading.Thread(target=_listen, args=(mount, directory, unmount), daemon=True)
    listener.start()
    options: dict[str, Any] = {"foreground": True, "nothreads": True}
    if os.geteuid() == 0:
        # A server that root starts runs as somebody else.
        options["allow_other"] = True
    mfusepy.FUSE(mount, directory, attr_timeout=0, entry_timeout=0, **options)


if __name__ == "__main__":
    main(*sys.argv[1:3])
