"""The files that one scheduler alone writes, where several share a data directory."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pointsman.runtime.blobs import SqliteBlobs
from pointsman.runtime.file_lock import FileInUseError

_NAME: Final = "scheduler"
_MOST: Final = 32
"""The leaders of a group's pools, their standbys, and what a stopped process still holds."""


@dataclass(frozen=True, slots=True)
class OwnFiles:
    """Payloads of a shard of its own, and where its views lie."""

    blobs: SqliteBlobs
    views: Path


def open_own_files(data: Path) -> OwnFiles:
    """The first that no other scheduler holds; whoever leads, each has its own all the time.

    Payloads are read across shards, so it does not matter who stored one. Raises what `SqliteBlobs`
    does, `FileInUseError` when none is free.
    """
    for number in range(1, _MOST + 1):
        name = _NAME if number == 1 else f"{_NAME}-{number}"
        try:
            blobs = SqliteBlobs(data / "blobs", name)
        except FileInUseError:
            if number == _MOST:
                raise
        else:
            return OwnFiles(blobs, data if number == 1 else data / name)
    raise AssertionError
