"""A pool as bytes and back: what lets a leader start without folding the whole log.

A snapshot is a cache. Whoever cannot use one folds the log, and gets an equal pool.
"""

import hashlib
from collections.abc import Callable
from dataclasses import fields
from functools import cache
from operator import attrgetter
from types import GenericAlias
from typing import Any, Final, get_type_hints

import msgspec

from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.snapshot.facts import PoolFacts, facts_of
from pointsman.scheduler.domain.tasks import OpenTask, Words

VERSION: Final = 2
"""To be raised when the same events fold to something else; changed fields tell themselves."""


# Whatever a task is made of is kept, in the order of its fields.
_TASK_FIELDS: Final = tuple(field.name for field in fields(OpenTask) if field.init)
_TASK_TYPE: Final = GenericAlias(
    tuple, tuple(get_type_hints(OpenTask)[name] for name in _TASK_FIELDS)
)
_RETRY_AT: Final = _TASK_FIELDS.index("retry_at")
_values: Final[Callable[[OpenTask], tuple[Any, ...]]] = attrgetter(*_TASK_FIELDS)


class UnreadableSnapshotError(Exception):
    """The bytes are no snapshot of this release; the log is folded instead."""

    code = "unreadable_snapshot"


_facts_decoder: Final = msgspec.msgpack.Decoder(PoolFacts)
_tasks_decoder: Final[msgspec.msgpack.Decoder[list[tuple[Any, ...]]]] = msgspec.msgpack.Decoder(
    GenericAlias(list, (_TASK_TYPE,))
)
_encoder: Final = msgspec.msgpack.Encoder(uuid_format="bytes")


@cache
def snapshot_format() -> str:
    """Names the meaning and the fields of a snapshot; one of another format is not read."""
    schema = msgspec.json.schema_components((PoolFacts, OpenTask))[1]
    return f"{VERSION}-{hashlib.blake2b(msgspec.json.encode(schema), digest_size=8).hexdigest()}"


class PoolCopy:
    """A pool as it is now, encoded a few tasks at a time while the pool goes on.

    A task that is about to change is set aside as it was before. One copy at a time; `end` it.
    """

    def __init__(self, pool: Pool) -> None:
        self.position: Final = pool.applied_to
        self.facts: Final = _encoder.encode(facts_of(pool))
        self._pool = pool
        self._left = dict(pool.tasks)
        self._aside: list[tuple[Any, ...]] = []
        pool.before_change = self._set_aside

    def next(self, limit: int) -> bytes | None:
        """Encode up to `limit` further tasks; None when there are no more."""
        taken, self._aside = self._aside[:limit], self._aside[limit:]
        while self._left and len(taken) < limit:
            taken.append(_values(self._left.popitem()[1]))
        return _encoder.encode(taken) if taken else None

    def end(self) -> None:
        """The pool is watched no more."""
        self._left.clear()
        self._pool.before_change = None

    def _set_aside(self, task: OpenTask) -> None:
        if self._left.pop(task.id, None) is not None:
            self._aside.append(_values(task))


def decode_facts(body: bytes) -> PoolFacts:
    """Raises `UnreadableSnapshotError`."""
    try:
        return _facts_decoder.decode(body)
    except msgspec.MsgspecError as error:
        raise UnreadableSnapshotError(str(error)) from error


def decode_tasks(body: bytes, words: Words) -> list[OpenTask]:
    """The tasks of one slice; raises `UnreadableSnapshotError`."""
    try:
        return [_open_task(values, words) for values in _tasks_decoder.decode(body)]
    except (msgspec.MsgspecError, ValueError) as error:
        raise UnreadableSnapshotError(str(error)) from error


def _open_task(values: tuple[Any, ...], words: Words) -> OpenTask:
    task = OpenTask(*values)
    words.share(task)
    # Whether it still waits for its preparation stands in the snapshot, not in its acceptance.
    task.retry_at = values[_RETRY_AT]
    return task
