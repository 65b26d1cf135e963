"""The view of what other services have recorded: alerts, variants, devices, failures in a row."""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec

from pointsman.contracts.events import (
    AlertCleared,
    AlertRaised,
    Decision,
    DeviceAttached,
    ModelRegistered,
    QualityThresholdMoved,
)
from pointsman.contracts.events.attempt_ends import RUN_TIMEOUT
from pointsman.contracts.topics import EventCodec
from pointsman.degradation.domain.failures import BLAMED, Failure, Streak
from pointsman.eventstore.projections import Fact

NAME: Final = "degradation_surroundings"

# As much of an event as is needed: decoding the rest, an explanation above all, would cost more
# than everything else.


class _Granted(Decision, frozen=True):
    device: str
    variant: str


class _Completed(Decision, frozen=True):
    device: str
    variant: str


class _Failed(Decision, frozen=True):
    code: str


class _TimedOut(Decision, frozen=True):
    pass


class _Ended(Decision, frozen=True):
    """An attempt that says nothing about its variant, or a task that needs none any more."""


class _Detached(Decision, frozen=True):
    device: str


class _Suspended(Decision, frozen=True):
    device: str


class _Resumed(Decision, frozen=True):
    device: str


_TYPES: Final[Mapping[str, type[Decision]]] = {
    "task.granted.v1": _Granted,
    "task.completed.v1": _Completed,
    "task.attempt_failed.v1": _Failed,
    "task.attempt_timed_out.v1": _TimedOut,
    "task.attempt_lost.v1": _Ended,
    "task.cancelled.v1": _Ended,
    "task.expired.v1": _Ended,
    "task.shed.v1": _Ended,
    "task.abandoned.v1": _Ended,
    "device.attached.v1": DeviceAttached,
    "device.detached.v1": _Detached,
    "device.suspended.v1": _Suspended,
    "device.resumed.v1": _Resumed,
    "model.registered.v1": ModelRegistered,
    "alert.raised.v1": AlertRaised,
    "alert.cleared.v1": AlertCleared,
    "quality.threshold_moved.v1": QualityThresholdMoved,
}

_SCHEMA: Final = (
    "CREATE TABLE alerts (alert TEXT, subject TEXT, PRIMARY KEY (alert, subject))",
    "CREATE TABLE variants (variant TEXT PRIMARY KEY, family TEXT, quality REAL, memory_mib REAL)",
    "CREATE TABLE thresholds (family TEXT PRIMARY KEY, threshold REAL)",
    # A detached device keeps its row: what its last attempts ended with still tells its pool.
    """CREATE TABLE devices (
        device TEXT PRIMARY KEY, pool TEXT, device_class TEXT, variants TEXT, state TEXT)""",
    "CREATE TABLE grants (task BLOB PRIMARY KEY, device TEXT, variant TEXT)",
    """CREATE TABLE streaks (
        pool TEXT, variant TEXT, count INTEGER, recent TEXT, PRIMARY KEY (pool, variant))""",
)

_failures: Final = msgspec.json.Decoder(tuple[Failure, ...])


class SurroundingsProjection:
    """Implements `eventstore.projections.Projection`."""

    name = NAME
    version = 1
    topics = frozenset(topic.rpartition(".v")[0] for topic in _TYPES)
    codec = EventCodec(_TYPES)

    def create(self, db: sqlite3.Connection) -> None:
        for statement in _SCHEMA:
            db.execute(statement)

    def apply(self, db: sqlite3.Connection, facts: Sequence[Fact]) -> None:
        changes = _Changes(db)
        for fact in facts:
            changes.take(fact)
        changes.write()


def read_streaks(db: sqlite3.Connection) -> list[Streak]:
    """Every streak, by pool and variant."""
    rows = db.execute("SELECT pool, variant, count, recent FROM streaks ORDER BY pool, variant")
    return [
        Streak(pool, variant, count, _failures.decode(recent))
        for pool, variant, count, recent in rows
    ]


class _Changes:
    """What one call of `apply` changes.

    Most tasks are granted and completed within one call: their grants never reach the table.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self._grants: dict[bytes, tuple[str, str] | None] = {}
        self._streaks = {(each.pool, each.variant): each for each in read_streaks(db)}
        self._changed: set[tuple[str, str]] = set()
        self._pools = dict(db.execute("SELECT device, pool FROM devices").fetchall())
        self._takers: Final[Mapping[type[Decision], Callable[..., None]]] = {
            _Granted: self._granted,
            _Completed: self._completed,
            _Failed: self._failed,
            _TimedOut: self._timed_out,
            _Ended: self._ended,
            DeviceAttached: self._attached,
            _Detached: self._detached,
            _Suspended: self._suspended,
            _Resumed: self._resumed,
            ModelRegistered: self._registered,
            AlertRaised: self._raised,
            AlertCleared: self._cleared,
            QualityThresholdMoved: self._threshold_moved,
        }

    def take(self, fact: Fact) -> None:
        self._takers[type(fact.event)](fact, fact.event)

    def write(self) -> None:
        opened = [(task, *grant) for task, grant in self._grants.items() if grant is not None]
        closed = [(task,) for task, grant in self._grants.items() if grant is None]
        self._db.executemany("DELETE FROM grants WHERE task = ?", closed)
        self._db.executemany("INSERT OR REPLACE INTO grants VALUES (?, ?, ?)", opened)
        for key in sorted(self._changed):
            streak = self._streaks[key]
            if streak.recent:
                row = (*key, streak.count, msgspec.json.encode(streak.recent).decode())
                self._db.execute("INSERT OR REPLACE INTO streaks VALUES (?, ?, ?, ?)", row)
            else:
                self._db.execute("DELETE FROM streaks WHERE pool = ? AND variant = ?", key)

    def _granted(self, fact: Fact, event: _Granted) -> None:
        self._grants[fact.recorded.stream.bytes] = (event.device, event.variant)

    def _completed(self, fact: Fact, event: _Completed) -> None:
        self._grants[fact.recorded.stream.bytes] = None
        # An empty device is a result that was found again: nothing was run.
        key = (self._pools.get(event.device, ""), event.variant)
        streak = self._streaks.get(key)
        if streak is not None and streak.count:
            self._streaks[key] = streak.completed()
            self._changed.add(key)

    def _failed(self, fact: Fact, event: _Failed) -> None:
        self._count(fact, event.code)

    def _timed_out(self, fact: Fact, _: _TimedOut) -> None:
        self._count(fact, RUN_TIMEOUT)

    def _ended(self, fact: Fact, _: _Ended) -> None:
        self._grants[fact.recorded.stream.bytes] = None

    def _count(self, fact: Fact, code: str) -> None:
        task = fact.recorded.stream
        grant = self._grant_of(task.bytes)
        self._grants[task.bytes] = None
        if grant is None or code not in BLAMED:
            return
        device, variant = grant
        key = (self._pools.get(device, ""), variant)
        streak = self._streaks.get(key) or Streak(*key)
        failure = Failure(fact.recorded.position, fact.event.at, str(task), code)
        self._streaks[key] = streak.failed(failure)
        self._changed.add(key)

    def _grant_of(self, task: bytes) -> tuple[str, str] | None:
        if task in self._grants:
            return self._grants[task]
        row = self._db.execute("SELECT device, variant FROM grants WHERE task = ?", (task,))
        return row.fetchone()

    def _attached(self, _: Fact, event: DeviceAttached) -> None:
        self._pools[event.device] = event.pool
        variants = [residency.variant for residency in event.residency]
        self._db.execute(
            "INSERT OR REPLACE INTO devices VALUES (?, ?, ?, ?, 'ready')",
            (event.device, event.pool, event.device_class, msgspec.json.encode(variants).decode()),
        )

    def _detached(self, _: Fact, event: _Detached) -> None:
        self._set_state(event.device, "detached")

    def _suspended(self, _: Fact, event: _Suspended) -> None:
        self._set_state(event.device, "suspended")

    def _resumed(self, _: Fact, event: _Resumed) -> None:
        self._set_state(event.device, "ready")

    def _set_state(self, device: str, state: str) -> None:
        self._db.execute("UPDATE devices SET state = ? WHERE device = ?", (state, device))

    def _registered(self, _: Fact, event: ModelRegistered) -> None:
        row = (event.variant, event.family, event.quality, event.memory_mib)
        self._db.execute("INSERT OR REPLACE INTO variants VALUES (?, ?, ?, ?)", row)

    def _raised(self, _: Fact, event: AlertRaised) -> None:
        row = (event.alert, event.subject)
        self._db.execute("INSERT OR REPLACE INTO alerts VALUES (?, ?)", row)

    def _cleared(self, _: Fact, event: AlertCleared) -> None:
        row = (event.alert, event.subject)
        self._db.execute("DELETE FROM alerts WHERE alert = ? AND subject = ?", row)

    def _threshold_moved(self, _: Fact, event: QualityThresholdMoved) -> None:
        row = (event.family, event.threshold)
        self._db.execute("INSERT OR REPLACE INTO thresholds VALUES (?, ?)", row)
