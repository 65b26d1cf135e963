"""Restoring a backup as it was at an earlier position, and what that undoes.

The restored log is another incarnation. It keeps the leader epochs of the backup, so that
executors refuse orders of the life before, and forgets what came behind the position: events, the
answers to commands that were accepted there, and how far the bus was filled.
"""

import shutil
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

import msgspec

from pointsman.contracts import events
from pointsman.contracts.recorded import Recorded
from pointsman.contracts.task_states import TERMINAL, TRANSITIONS, TaskState
from pointsman.contracts.topics import TOPICS, EventCodec
from pointsman.eventstore.archive import ARCHIVE, Archive
from pointsman.eventstore.archive_rows import put_back, select_mark
from pointsman.eventstore.backup import BLOBS, LOG, BackupError, broken_log, open_backup
from pointsman.eventstore.log_file import linked_pages, sync
from pointsman.eventstore.log_identity import identity_of, write_identity
from pointsman.eventstore.verification import ChainCheck

_TASKS: Final = "task."
_MICROSECONDS: Final = 1_000_000


class UndoneTask(msgspec.Struct, frozen=True):
    """A task about which the restored log knows less than the backup."""

    task: UUID
    tenant: str
    family: str
    message_id: str
    """The sender's id, under which it may be sent again."""
    state: str
    """In the backup."""


class Restored(msgspec.Struct, frozen=True):
    """What a restore did."""

    position: int
    """Last event of the restored log."""
    time_us: int
    incarnation: str
    events_undone: int
    lost: tuple[UndoneTask, ...]
    """Accepted behind the position: nobody will run them unless they are sent again."""
    may_run_again: tuple[UndoneTask, ...]
    """Accepted before; what they had come to behind the position, or were running at it, is
    forgotten, so they run again although they may have run to their end."""


def position_at(log: Path, time: float) -> int:
    """The last position recorded at or before a time, seconds since the epoch."""
    with closing(sqlite3.connect(log)) as db:
        row = db.execute(
            "SELECT max(notification_id) FROM stored_events WHERE recorded_at <= ?",
            (int(time * _MICROSECONDS),),
        ).fetchone()
    return int(row[0] or 0)


def cut_position(backup: Path, position: int | None, time: float | None) -> int:
    """Where to cut a backup, all of whose files are checked; raises `BackupError`."""
    manifest = open_backup(backup)
    if time is not None and time > manifest.taken_at:
        raise _beyond(f"the backup was taken {time - manifest.taken_at:.0f} s before that time.")
    if position is not None and position > manifest.position:
        raise _beyond(f"the backup ends at position {manifest.position}, before {position}.")
    if time is not None:
        return position_at(backup / LOG, time)
    return manifest.position if position is None else position


def _beyond(detail: str) -> BackupError:
    return BackupError(
        detail, next_step="Name a position or time that it holds.", code="position_beyond_backup"
    )


def restore(
    backup: Path, data: Path, *, position: int | None = None, time: float | None = None
) -> Restored:
    """Make `data` a data directory with the backup's log up to a position or a time.

    `data` is claimed by the caller and holds no log. An interrupted restore leaves no log either.
    Raises `BackupError`, `sqlite3.Error` and `OSError`.
    """
    upto = cut_position(backup, position, time)
    target = data / LOG
    if target.exists():
        raise BackupError(
            f"{data} holds a log already.",
            next_step="Restore into a new directory.",
            code="restore_target_in_use",
        )
    unfinished = data / f"{LOG}.restoring"
    unfinished.unlink(missing_ok=True)
    shutil.copyfile(backup / LOG, unfinished)
    _unarchive(backup, unfinished)
    if time is not None:
        # Among all events: what is archived may be the last before that time.
        upto = position_at(unfinished, time)
    report = _Undone(upto)
    check = ChainCheck()
    for page in linked_pages(unfinished):
        check.take(page)
        report.take(linked.event for linked in page)
    if check.broken is not None:
        raise broken_log(backup / LOG, check.broken)
    incarnation = cut_log(unfinished, upto)
    _copy_blobs(backup, data)
    sync(unfinished)
    unfinished.replace(target)
    sync(target)
    return report.restored(incarnation)


def _unarchive(backup: Path, log: Path) -> None:
    """A task that ended behind the position is open again, so its events belong into the log."""
    archive = Archive(backup / ARCHIVE)
    with closing(sqlite3.connect(log, isolation_level=None)) as db:
        archive.follow(select_mark(db))
        db.execute("BEGIN IMMEDIATE")
        put_back(db, archive.linked())
        db.execute("COMMIT")


def cut_log(log: Path, upto: int) -> str:
    """Begin a new life of a log file behind `upto`; returns its incarnation."""
    with closing(sqlite3.connect(log, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        before = identity_of(dict(db.execute("SELECT key, value FROM log_meta")))
        after = before.restored(uuid4().hex, upto)
        db.execute("DELETE FROM stored_events WHERE notification_id > ?", (upto,))
        db.execute("DELETE FROM inbox WHERE position > ?", (upto,))
        db.execute("DELETE FROM feed_floor")
        db.execute("UPDATE sqlite_sequence SET seq = ? WHERE name = 'stored_events'", (upto,))
        write_identity(db, after)
        db.execute("COMMIT")
    return after.incarnation


def _copy_blobs(backup: Path, data: Path) -> None:
    blobs = data / BLOBS
    blobs.mkdir(mode=0o700, exist_ok=True)
    for shard in sorted((backup / BLOBS).glob("*.db")):
        shutil.copyfile(shard, blobs / shard.name)
        sync(blobs / shard.name)


class _Undone:
    """Folds the tasks of a log and notes what happens to them behind a position."""

    def __init__(self, upto: int) -> None:
        self._upto = upto
        self._codec = EventCodec()
        self._accepted: dict[UUID, events.TaskAccepted] = {}
        self._states: dict[UUID, TaskState] = {}
        self._running: set[UUID] = set()
        """At the position."""
        self._late: set[UUID] = set()
        """Accepted behind the position."""
        self._touched: set[UUID] = set()
        self._position = 0
        self._time_us = 0
        self._cut = 0

    def take(self, recorded: Iterable[Recorded]) -> None:
        for event in recorded:
            before = event.position <= self._upto
            if before:
                self._position, self._time_us = event.position, event.time_us
            else:
                self._cut += 1
            if event.type.startswith(_TASKS):
                self._fold(event, before=before)

    def restored(self, incarnation: str) -> Restored:
        again = (self._running | self._touched) - self._late
        return Restored(
            position=self._position,
            time_us=self._time_us,
            incarnation=incarnation,
            events_undone=self._cut,
            lost=self._named(self._late),
            may_run_again=self._named(again),
        )

    def _fold(self, recorded: Recorded, *, before: bool) -> None:
        # Whatever else is wrong with a log, it can be restored: what is not understood here is
        # passed over.
        task, kind = recorded.stream, TOPICS.get(recorded.type)
        if kind is events.TaskAccepted:
            self._accept(recorded, late=not before)
        state = self._states.get(task)
        if state is None or kind is None:
            return
        self._states[task] = state = TRANSITIONS.get((state, kind), state)
        if not before:
            self._touched.add(task)
        elif state in TERMINAL:
            # Nothing can happen to it any more, so it need not be remembered.
            self._running.discard(task)
            del self._accepted[task], self._states[task]
        elif state is TaskState.GRANTED:
            self._running.add(task)
        else:
            self._running.discard(task)

    def _accept(self, recorded: Recorded, *, late: bool) -> None:
        accepted = self._codec.decode(recorded.type, bytes(recorded.data))
        if isinstance(accepted, events.TaskAccepted):
            self._accepted[recorded.stream] = accepted
            self._states[recorded.stream] = TaskState.NEW
            if late:
                self._late.add(recorded.stream)

    def _named(self, tasks: Iterable[UUID]) -> tuple[UndoneTask, ...]:
        return tuple(
            UndoneTask(
                task=task,
                tenant=self._accepted[task].tenant,
                family=self._accepted[task].family,
                message_id=self._accepted[task].message_id,
                state=self._states[task],
            )
            for task in sorted(tasks)
        )
