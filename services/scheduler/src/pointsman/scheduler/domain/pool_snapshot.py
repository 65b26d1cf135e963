"""A pool as bytes and back: what lets a leader start without folding the whole log.

A snapshot is a cache. Whoever cannot use one folds the log, and gets an equal pool.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from functools import cache
from operator import attrgetter
from types import GenericAlias
from typing import Any, Final, get_type_hints
from uuid import UUID

import msgspec

from pointsman.contracts import events
from pointsman.contracts.message import Message
from pointsman.policy.run_times import RunTimes
from pointsman.scheduler.domain.devices import Device, DeviceStatus, Slot, SlotKey
from pointsman.scheduler.domain.influences import Influences, Standing
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.tasks import OpenTask, Words

VERSION: Final = 1
"""To be raised when the same events fold to something else; changed fields tell themselves."""


HeldSlot = tuple[UUID, int, Slot]
"""Task, attempt and what they occupy."""

# Whatever a task is made of is kept, in the order of its fields.
_TASK_FIELDS: Final = tuple(field.name for field in fields(OpenTask))
_TASK_TYPE: Final = GenericAlias(
    tuple, tuple(get_type_hints(OpenTask)[name] for name in _TASK_FIELDS)
)
_RETRY_AT: Final = _TASK_FIELDS.index("retry_at")
_values: Final[Callable[[OpenTask], tuple[Any, ...]]] = attrgetter(*_TASK_FIELDS)


class UnreadableSnapshotError(Exception):
    """The bytes are no snapshot of this release; the log is folded instead."""

    code = "unreadable_snapshot"


class DeviceFacts(Message, frozen=True):
    """A `Device` at one moment."""

    offer: events.DeviceAttached
    status: DeviceStatus
    reason: str
    suspended_for: str
    last_variant: str | None
    held: tuple[HeldSlot, ...]
    suspect: tuple[HeldSlot, ...]


class RunTimesFacts(Message, frozen=True):
    """Runs ever counted and the window that quantiles come from, oldest first."""

    runs: int
    window: tuple[float, ...]


class InfluenceFacts(Message, frozen=True):
    """`Influences` at one moment."""

    level: Standing[events.LevelChanged] | None
    boost: Standing[events.PriorityBoosted] | None
    fallbacks: dict[str, Standing[events.FallbackStarted]]
    preferences: dict[str, Standing[events.PreferenceChanged]]
    thresholds: dict[str, Standing[events.QualityThresholdMoved]]
    samples: dict[str, events.DeviceSampled]
    canaries: dict[str, Standing[events.CanaryChanged]]


class PoolFacts(Message, frozen=True):
    """Everything of a `Pool` but its tasks, from which queues and timers follow."""

    name: str
    epoch: int
    holder: str
    applied_to: int
    tasks: int
    """How many there are."""
    versions: dict[str, int]
    """By stream."""
    accepted_of: dict[str, int]
    devices: tuple[DeviceFacts, ...]
    models: tuple[events.ModelRegistered, ...]
    run_times: dict[str, RunTimesFacts]
    added_times: dict[str, RunTimesFacts]
    turnaround: RunTimesFacts
    influences: InfluenceFacts


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
        self.facts: Final = _encoder.encode(_facts(pool))
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


def restore(pool: Pool, facts: PoolFacts, tasks: Iterable[OpenTask]) -> None:
    """Make a pool that has folded nothing what `facts` and `tasks` say."""
    pool.epoch, pool.holder, pool.applied_to = facts.epoch, facts.holder, facts.applied_to
    pool.versions = {UUID(stream): version for stream, version in facts.versions.items()}
    pool.accepted_of.update(facts.accepted_of)
    for model in facts.models:
        pool.models.register(model)
    for variant, runs in facts.run_times.items():
        pool.models.run_times_of(variant).restore(runs.runs, runs.window)
    for variant, runs in facts.added_times.items():
        pool.models.added_times_of(variant).restore(runs.runs, runs.window)
    pool.turnaround.restore(facts.turnaround.runs, facts.turnaround.window)
    pool.devices.update({device.offer.device: _device(device) for device in facts.devices})
    _influence(pool.influences, facts.influences)
    # Dictionaries keep the order in which tasks were accepted.
    for task in sorted(tasks, key=lambda task: task.position):
        pool.adopt(task)


def _facts(pool: Pool) -> PoolFacts:
    influences = pool.influences
    return PoolFacts(
        name=pool.name,
        epoch=pool.epoch,
        holder=pool.holder,
        applied_to=pool.applied_to,
        tasks=len(pool.tasks),
        versions={stream.hex: version for stream, version in pool.versions.items()},
        accepted_of=dict(pool.accepted_of),
        devices=tuple(_device_facts(device) for device in pool.devices.values()),
        models=tuple(pool.models.values()),
        run_times=_run_times(pool.models.run_times()),
        added_times=_run_times(pool.models.added_times()),
        turnaround=RunTimesFacts(runs=pool.turnaround.runs, window=pool.turnaround.window),
        influences=InfluenceFacts(
            level=influences.standing_level,
            boost=influences.standing_boost,
            fallbacks=influences.fallbacks,
            preferences=influences.preferences,
            thresholds=influences.thresholds,
            samples=influences.samples,
            canaries=influences.canaries,
        ),
    )


def _run_times(by_variant: Mapping[str, RunTimes]) -> dict[str, RunTimesFacts]:
    return {
        variant: RunTimesFacts(runs=times.runs, window=times.window)
        for variant, times in by_variant.items()
    }


def _device_facts(device: Device) -> DeviceFacts:
    return DeviceFacts(
        offer=device.offer,
        status=device.status,
        reason=device.reason,
        suspended_for=device.suspended_for,
        last_variant=device.last_variant,
        held=_held(device.held),
        suspect=_held(device.suspect),
    )


def _held(slots: dict[SlotKey, Slot]) -> tuple[HeldSlot, ...]:
    return tuple((task, attempt, slot) for (task, attempt), slot in slots.items())


def _slots(held: Iterable[HeldSlot]) -> dict[SlotKey, Slot]:
    return {(task, attempt): slot for task, attempt, slot in held}


def _device(facts: DeviceFacts) -> Device:
    return Device(
        offer=facts.offer,
        status=facts.status,
        reason=facts.reason,
        suspended_for=facts.suspended_for,
        last_variant=facts.last_variant,
        held=_slots(facts.held),
        suspect=_slots(facts.suspect),
    )


def _influence(influences: Influences, facts: InfluenceFacts) -> None:
    influences.standing_level, influences.standing_boost = facts.level, facts.boost
    influences.fallbacks.update(facts.fallbacks)
    influences.preferences.update(facts.preferences)
    influences.thresholds.update(facts.thresholds)
    influences.samples.update(facts.samples)
    influences.canaries.update(facts.canaries)


def _open_task(values: tuple[Any, ...], words: Words) -> OpenTask:
    task = OpenTask(*values)
    task.accepted = words.shared(task.accepted)
    # Whether it still waits for its preparation stands in the snapshot, not in its acceptance.
    task.retry_at = values[_RETRY_AT]
    return task
