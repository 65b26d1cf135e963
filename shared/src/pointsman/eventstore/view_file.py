"""A projection's tables and its position in one SQLite file, which is a cache of the log."""

import contextlib
import sqlite3
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from pointsman.contracts.events import Decision
from pointsman.contracts.recorded import Recorded
from pointsman.contracts.topics import EventCodec
from pointsman.eventstore.reading import DamagedEventError, NewerEventError, read_event

_BUSY_TIMEOUT_S: Final = 5.0
# Positions that a projection may have passed over without writing them down.
_UNWRITTEN_POSITIONS: Final = 4096


@dataclass(frozen=True, slots=True)
class Fact:
    """A committed event, decoded by the projection's own codec."""

    recorded: Recorded
    event: Decision


class Projection(Protocol):
    """A view of the log: what it reads and what it makes of that.

    The same facts give the same view, however they are cut into calls of `apply`.
    """

    @property
    def name(self) -> str:
        """Also the name of its file."""
        ...

    @property
    def version(self) -> int:
        """Of its tables; a file of another version is built anew."""
        ...

    @property
    def topics(self) -> frozenset[str]:
        """Topics without version that it reads; others are passed over if they are registered."""
        ...

    @property
    def codec(self) -> EventCodec:
        """Decodes `topics`; may decode to types that hold fewer fields than the events."""
        ...

    def create(self, db: sqlite3.Connection) -> None:
        """Make the tables in an empty file, inside a transaction."""
        ...

    def apply(self, db: sqlite3.Connection, facts: Sequence[Fact]) -> None:
        """Change the tables by facts in log order, inside a transaction; never commits."""
        ...


@dataclass(frozen=True, slots=True)
class StoppedAt:
    """An event that a projection cannot take."""

    position: int
    code: str
    reason: str
    topic: str = ""
    """Empty when it was not the event's fault."""


class ViewFile:
    """Used by one thread at a time. Raises `sqlite3.Error`.

    A file that is damaged, or of another version of its projection, is emptied when it is opened.
    """

    def __init__(self, path: Path, projection: Projection) -> None:
        self._projection = projection
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            self._db, self.position = _open(path), 0
            self._load()
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise
            _delete(path)
            self._db, self.position = _open(path), 0
            self._load()

    def apply(self, events: Sequence[Recorded], upto: int) -> StoppedAt | None:
        """Commit the effect of those events beyond `position` together with the new position.

        `events` are what concerns the projection of everything up to `upto`. Returns where it had
        to stop, with everything before that committed.
        """
        facts: list[Fact] = []
        stopped: StoppedAt | None = None
        for event in events:
            if event.position <= self.position:
                continue
            try:
                decoded = read_event(self._projection.codec, event)
            except (NewerEventError, DamagedEventError) as error:
                stopped = StoppedAt(event.position, error.code, str(error), event.type)
                upto = event.position - 1
                break
            facts.append(Fact(event, decoded))
        if facts or stopped is not None or upto - self._written >= _UNWRITTEN_POSITIONS:
            self._commit(facts, upto)
        self.position = max(self.position, upto)
        return stopped

    def adopt(self, log: str) -> bool:
        """Make it a view of one life of the log; true if it was of another and is now empty."""
        if log == self._log:
            return False
        emptied = self._log != ""
        if emptied:
            self.rebuild()
        self._db.execute("UPDATE projection SET log = ?", (log,))
        self._log = log
        return emptied

    def pass_over(self, upto: int) -> bool:
        """Nothing up to `upto` is of concern; false when it is time to write that down."""
        if upto - self._written >= _UNWRITTEN_POSITIONS:
            return False
        self.position = max(self.position, upto)
        return True

    def rebuild(self) -> None:
        """Forget everything; readers see the old tables until this has happened."""
        with self._transaction():
            tables = self._db.execute(
                "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
            ).fetchall()
            for (name,) in tables:
                self._db.execute(f'DROP TABLE "{name}"')
            self._create()
        self.position = self._written = 0

    def close(self) -> None:
        self._db.close()

    def _load(self) -> None:
        self._written = 0
        self._log = ""
        with contextlib.suppress(sqlite3.OperationalError):
            row = self._db.execute("SELECT version, position, log FROM projection").fetchone()
            if row is not None and row[0] == self._projection.version:
                self.position = self._written = int(row[1])
                self._log = str(row[2])
                return
        self.rebuild()

    def _create(self) -> None:
        self._db.execute("CREATE TABLE projection (version INTEGER, position INTEGER, log TEXT)")
        version = self._projection.version
        self._db.execute("INSERT INTO projection VALUES (?, 0, ?)", (version, self._log))
        self._projection.create(self._db)

    def _commit(self, facts: Sequence[Fact], upto: int) -> None:
        with self._transaction():
            if facts:
                self._projection.apply(self._db, facts)
            self._db.execute("UPDATE projection SET position = ?", (upto,))
        self._written = upto

    @contextmanager
    def _transaction(self) -> Generator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise


def _open(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(
        path, isolation_level=None, check_same_thread=False, timeout=_BUSY_TIMEOUT_S
    )
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
    except BaseException:
        db.close()
        raise
    return db


def _delete(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
