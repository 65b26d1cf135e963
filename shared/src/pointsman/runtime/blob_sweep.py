"""Contents whose time is over, swept out of all shards of a store in small steps."""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Final

import structlog

from pointsman.contracts.message import BlobRef
from pointsman.runtime import blob_rows as sql
from pointsman.runtime import durable_sqlite
from pointsman.runtime.blob_rows import BlobKind

_TOGETHER: Final = 100
"""Contents of one transaction, behind which the shard's own writer waits."""
_PAUSE_S: Final = 0.02
_RECENT_S: Final = 3600.0
"""A use that was noted within the hour is not noted again."""

_log = structlog.get_logger(__name__)


class BlobSweep:
    """Sweeps a directory of shards beside the processes that write to them.

    `keep_s` says for each kind how long after its last use a content is kept; kinds that are not in
    it are kept. Raises `sqlite3.Error`; what is left over is swept the next time.
    """

    def __init__(
        self,
        directory: Path,
        keep_s: Mapping[BlobKind, float],
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._directory = directory
        self._keep_s = keep_s
        self._clock = clock

    async def use(self, contents: Iterable[tuple[str, BlobRef]]) -> None:
        """Note that contents, with their tenants, are still used."""
        left = iter(contents)
        while some := list(islice(left, _TOGETHER)):
            await asyncio.to_thread(self._use, some)
            await asyncio.sleep(_PAUSE_S)

    async def sweep(self) -> int:
        """Empty what is not used any more; returns how many contents that were."""
        swept = 0
        for shard in await asyncio.to_thread(self._shards):
            for kind, keep_s in self._keep_s.items():
                while some := await asyncio.to_thread(self._sweep, shard, kind, keep_s):
                    swept += some
                    await asyncio.sleep(_PAUSE_S)
        if swept:
            _log.info("blobs_swept", contents=swept)
        return swept

    def _shards(self) -> list[Path]:
        return sorted(self._directory.glob("*.db"))

    def _use(self, contents: list[tuple[str, BlobRef]]) -> None:
        now = int(self._clock())
        by_shard: dict[Path, list[tuple[int, str, str, int]]] = {}
        for tenant, ref in contents:
            row = (now, ref.digest, tenant, now - int(_RECENT_S))
            by_shard.setdefault(self._directory / f"{ref.shard}.db", []).append(row)
        known = set(self._shards())
        for shard, rows in by_shard.items():
            if shard in known:
                with closing(_opened(shard)) as connection, connection:
                    connection.execute("BEGIN IMMEDIATE")
                    connection.executemany(sql.USE, rows)

    def _sweep(self, shard: Path, kind: BlobKind, keep_s: float) -> int:
        now = self._clock()
        over, long_over = int(now - keep_s), int(now - 2 * keep_s)
        with closing(_opened(shard)) as connection, connection:
            connection.execute("BEGIN IMMEDIATE")
            swept = connection.execute(sql.SWEEP, (int(now), kind, over, _TOGETHER)).rowcount
            connection.execute(sql.FORGET, (kind, long_over, _TOGETHER))
        return swept


def _opened(shard: Path) -> sqlite3.Connection:
    connection = durable_sqlite.connect_writer(shard)
    try:
        sql.create_table(connection)
    except BaseException:
        connection.close()
        raise
    return connection
