"""The disk that a data directory lies on."""

import asyncio
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pointsman.policy.disk_room import DiskReading

_MIB: Final = 1024 * 1024
_BLOCK_BYTES: Final = 512
"""Unit of `st_blocks`, whatever the file system's own."""


class DataDisk:
    """Implements `ports.Disk`; reads in a thread."""

    def __init__(self, data: Path, *, budget_mib: int | None) -> None:
        self._data = data
        self._budget = None if budget_mib is None else budget_mib * _MIB

    async def read(self) -> DiskReading:
        return await asyncio.to_thread(self._read)

    def _read(self) -> DiskReading:
        free = shutil.disk_usage(self._data).free
        return DiskReading(sum(_sizes(self._data)), free, self._budget)


def _sizes(directory: Path) -> Iterator[int]:
    for parent, _, names in os.walk(directory):
        for name in names:
            try:
                yield (Path(parent) / name).lstat().st_blocks * _BLOCK_BYTES
            except FileNotFoundError:
                continue
