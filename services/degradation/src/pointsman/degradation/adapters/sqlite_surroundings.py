"""The view as decisions read it."""

import asyncio
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Final

import msgspec

from pointsman.degradation.adapters.surroundings_projection import (
    SurroundingsProjection,
    read_streaks,
)
from pointsman.degradation.domain.surroundings import (
    AttachedDevice,
    StandingAlert,
    Surroundings,
    Variant,
)
from pointsman.degradation.ports import SurroundingsUnreadableError
from pointsman.eventstore.event_sources import EventSource
from pointsman.eventstore.projections import ProjectionRunner
from pointsman.runtime.durable_sqlite import connect_reader

_names: Final = msgspec.json.Decoder(tuple[str, ...])


class SqliteSurroundings:
    """Implements `ports.SurroundingsView` on a file in `data / "views"`, which may be deleted.

    Opens it, creating it if need be; raises `sqlite3.Error`. It follows the log while `run` runs.
    """

    def __init__(self, data: Path) -> None:
        self._runner = ProjectionRunner(SurroundingsProjection(), data)
        self._rows = connect_reader(self._runner.path)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="surroundings-reader")

    @property
    def position(self) -> int:
        """Everything up to here is in the view."""
        return self._runner.position

    async def run(self, source: EventSource) -> str:
        """Follow the log; returns why, when an event of a newer release stops it."""
        await self._runner.run(source)
        stopped = self._runner.stopped
        return "" if stopped is None else f"at position {stopped.position}: {stopped.reason}"

    async def rebuild(self) -> None:
        """Drop the view; `run` fills it again from the log."""
        await self._runner.rebuild()

    async def caught_up(self, position: int, *, timeout_s: float) -> bool:
        """Return true once everything up to `position` is in the view, false after the time."""
        return await self._runner.caught_up(position, timeout_s=timeout_s)

    async def read(self) -> Surroundings:
        loop = asyncio.get_running_loop()
        # What concerns nobody here is passed over without being written down.
        passed = self._runner.position
        try:
            known = await loop.run_in_executor(self._thread, _read, self._rows)
        except sqlite3.Error as error:
            raise SurroundingsUnreadableError(str(error)) from error
        return replace(known, position=max(known.position, passed))

    async def close(self) -> None:
        """Finish what was begun and close the file; end `run` before."""
        await self._runner.close()
        await asyncio.to_thread(self._thread.shutdown)
        self._rows.close()


def _read(db: sqlite3.Connection) -> Surroundings:
    # One transaction, so that the position is that of the rows.
    db.execute("BEGIN")
    try:
        return _surroundings(db)
    finally:
        db.execute("COMMIT")


def _surroundings(db: sqlite3.Connection) -> Surroundings:
    (position,) = db.execute("SELECT position FROM projection").fetchone()
    alerts = db.execute("SELECT alert, subject FROM alerts ORDER BY alert, subject")
    variants = db.execute("SELECT variant, family, quality, memory_mib FROM variants")
    thresholds = db.execute("SELECT family, threshold FROM thresholds")
    devices = db.execute(
        "SELECT device, pool, device_class, variants FROM devices WHERE state = 'ready'"
    )
    return Surroundings(
        position=position,
        alerts=tuple(StandingAlert(*row) for row in alerts),
        variants={row[0]: Variant(*row) for row in variants},
        thresholds=dict(thresholds.fetchall()),
        devices={
            device: AttachedDevice(device, pool, device_class, _names.decode(variants_loaded))
            for device, pool, device_class, variants_loaded in devices
        },
        streaks=tuple(read_streaks(db)),
    )
