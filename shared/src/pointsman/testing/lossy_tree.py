"""A file tree that forgets what was not synced: contents by page, names by directory.

A file's `fsync` keeps its content and the name that it has, as Linux file systems do; what was
removed, and what was renamed, is kept by the `fsync` of the directory alone.
"""

import errno
import random
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

PAGE: Final = 4096


@dataclass(slots=True, eq=False)
class File:
    """What readers see, and what a power cut leaves."""

    mode: int
    owner: tuple[int, int]
    changed_at: float
    content: bytearray = field(default_factory=bytearray)
    kept: bytearray = field(default_factory=bytearray)
    unsynced: set[int] = field(default_factory=set[int])
    """Pages that differ, or may."""

    def write(self, data: bytes, offset: int) -> None:
        if offset > len(self.content):
            self.resize(offset)
        self.content[offset : offset + len(data)] = data
        self.unsynced.update(range(offset // PAGE, (offset + len(data) - 1) // PAGE + 1))

    def resize(self, size: int) -> None:
        before = len(self.content)
        if size < before:
            del self.content[size:]
        else:
            self.content.extend(bytes(size - before))
        self.unsynced.update(range(min(size, before) // PAGE, max(size, before) // PAGE + 1))

    def sync(self) -> None:
        self._fit(len(self.content))
        for page in self.unsynced:
            self._keep(page)
        self.unsynced.clear()

    def cut(self, share: float, draws: random.Random) -> bool:
        """Go back to what was synced, but for a drawn share of the pages; true if some is lost."""
        lost = self.content != self.kept
        for page in sorted(self.unsynced):
            if draws.random() < share:
                # The disk was about to write it anyway, in no order.
                self._fit(max(len(self.kept), min(len(self.content), (page + 1) * PAGE)))
                self._keep(page)
        self.content = bytearray(self.kept)
        self.unsynced.clear()
        return lost

    def _fit(self, size: int) -> None:
        if size < len(self.kept):
            del self.kept[size:]
        else:
            self.kept.extend(bytes(size - len(self.kept)))

    def _keep(self, page: int) -> None:
        start, end = page * PAGE, min((page + 1) * PAGE, len(self.content), len(self.kept))
        if start < end:
            self.kept[start:end] = self.content[start:end]


@dataclass(slots=True, eq=False)
class Directory:
    """Its names as they are, and as a power cut leaves them."""

    mode: int
    owner: tuple[int, int]
    changed_at: float
    names: "dict[str, Node]" = field(default_factory=dict[str, "Node"])
    kept: "dict[str, Node]" = field(default_factory=dict[str, "Node"])


Node = File | Directory


class LossyTree:
    """Operations by path (`/a/b`); raise `OSError` with the number that a file system gives.

    `fail_syncs` is a part of the paths whose `fsync` fails with EIO, None: of none.
    """

    def __init__(self) -> None:
        self.root = Directory(stat.S_IFDIR | 0o777, (0, 0), time.time())
        self.powered = True
        self.fail_syncs: str | None = None

    def find(self, path: str) -> Node:
        self._require_power()
        node: Node = self.root
        for name in _names(path):
            if not isinstance(node, Directory):
                raise OSError(errno.ENOTDIR, path)
            child = node.names.get(name)
            if child is None:
                raise OSError(errno.ENOENT, path)
            node = child
        return node

    def file(self, path: str) -> File:
        node = self.find(path)
        if isinstance(node, Directory):
            raise OSError(errno.EISDIR, path)
        return node

    def directory(self, path: str) -> Directory:
        node = self.find(path)
        if not isinstance(node, Directory):
            raise OSError(errno.ENOTDIR, path)
        return node

    def create(self, path: str, mode: int, owner: tuple[int, int] = (0, 0)) -> File:
        file = File(stat.S_IFREG | stat.S_IMODE(mode), owner, time.time())
        self._add(path, file)
        return file

    def make_directory(self, path: str, mode: int, owner: tuple[int, int] = (0, 0)) -> None:
        self._add(path, Directory(stat.S_IFDIR | stat.S_IMODE(mode), owner, time.time()))

    def remove(self, path: str) -> None:
        parent, name = self._parent(path)
        self.file(path)
        del parent.names[name]

    def remove_directory(self, path: str) -> None:
        parent, name = self._parent(path)
        if self.directory(path).names:
            raise OSError(errno.ENOTEMPTY, path)
        del parent.names[name]

    def rename(self, old: str, new: str) -> None:
        node = self.find(old)
        source, name = self._parent(old)
        target, new_name = self._parent(new)
        replaced = target.names.get(new_name)
        if isinstance(replaced, Directory) and replaced.names:
            raise OSError(errno.ENOTEMPTY, new)
        del source.names[name]
        target.names[new_name] = node

    def sync(self, path: str, file: File) -> None:
        """Keep a file's content, its name, and the directories that lead to it."""
        self._sync_allowed(path)
        file.sync()
        node = self.root
        for name in _names(path):
            child = node.names.get(name)
            if child is None:
                # It was removed while it was open; there is no name to keep.
                return
            node.kept[name] = child
            if not isinstance(child, Directory):
                return
            node = child

    def sync_directory(self, path: str) -> None:
        """Keep which names a directory has."""
        self._sync_allowed(path)
        directory = self.directory(path)
        directory.kept = dict(directory.names)

    def sync_everything(self) -> None:
        """As if all had been written long ago."""
        for node in _all(self.root):
            if isinstance(node, File):
                node.sync()
            else:
                node.kept = dict(node.names)

    def cut(self, share: float, draws: random.Random) -> int:
        """Lose power: everything goes back, and every operation fails until `power_on`.

        `share` of the unsynced pages are kept all the same. Gives how many nodes lost something.
        """
        self.powered = False
        lost = 0
        for node in list(_all(self.root)):
            if isinstance(node, File):
                lost += node.cut(share, draws)
            else:
                lost += node.names != node.kept
                node.names = dict(node.kept)
        # A file whose removal was not kept is there again, with what was kept of it.
        for node in _all(self.root):
            if isinstance(node, File):
                node.cut(0, draws)
        return lost

    def power_on(self) -> None:
        self.powered = True

    def _add(self, path: str, node: Node) -> None:
        parent, name = self._parent(path)
        if name in parent.names:
            raise OSError(errno.EEXIST, path)
        parent.names[name] = node
        parent.changed_at = time.time()

    def _parent(self, path: str) -> tuple[Directory, str]:
        above, _, name = path.rpartition("/")
        return self.directory(above or "/"), name

    def _sync_allowed(self, path: str) -> None:
        self._require_power()
        if self.fail_syncs is not None and self.fail_syncs in path:
            raise OSError(errno.EIO, path)

    def _require_power(self) -> None:
        if not self.powered:
            raise OSError(errno.EIO, "no power")


def _names(path: str) -> list[str]:
    return [name for name in path.split("/") if name]


def _all(directory: Directory) -> Iterator[Node]:
    yield directory
    for node in list(directory.names.values()):
        if isinstance(node, Directory):
            yield from _all(node)
        else:
            yield node
