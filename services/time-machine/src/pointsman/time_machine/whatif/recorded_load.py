"""What a pool was asked in some time, and what became of it, read from the log."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from pointsman.contracts import events
from pointsman.contracts.events import Decision, DeviceMode
from pointsman.contracts.topics import EventCodec
from pointsman.eventstore.log_rows import LogRow
from pointsman.eventstore.reading import concerns, read_event
from pointsman.policy.parameters import DEFAULTS, Parameters, from_figures
from pointsman.scheduler.domain.tasks import PREPARATION_S
from pointsman.time_machine.pool_log import recorded

_ENDED: Final = (events.AttemptFailed, events.AttemptTimedOut, events.AttemptLost)
_NOT_RUN: Final = (
    events.TaskFailed,
    events.TaskCancelled,
    events.TaskExpired,
    events.TaskShed,
    events.TaskAbandoned,
)
TYPES: Final = (
    events.TaskAccepted,
    events.TaskPrepared,
    events.TaskGranted,
    events.TaskCompleted,
    *_ENDED,
    *_NOT_RUN,
    events.DeviceAttached,
    events.DeviceDetached,
    events.ResidencyChanged,
    events.ModelRegistered,
    events.PolicySet,
)
"""What is read; everything else is passed over undecoded."""


@dataclass(slots=True)
class AskedTask:
    """A task that arrived in the time that is looked at, or waited already when it began."""

    accepted: events.TaskAccepted
    arrival: float
    """From when it could be granted: accepted, prepared, its moment come, what it depends on done;
    or the beginning of the time if that was later."""
    begun_at: float | None = None
    """First grant."""
    variant: str = ""
    """Of the last grant."""
    occupied_s: float = 0.0
    """Slot time of its attempts together; of a shared call its part."""
    granted_at: float | None = None
    """Of the attempt that runs."""
    share: float = 1.0
    """Its part of that attempt's call."""
    ended: str = ""
    """How it ended: `completed`, `cached`, or the terminal event's name."""


@dataclass(slots=True)
class RecordedLoad:
    """Everything that a simulation of the same time needs."""

    begin: float
    end: float
    tasks: dict[UUID, AskedTask] = field(default_factory=dict[UUID, AskedTask])
    runs_s: dict[str, list[float]] = field(default_factory=dict[str, list[float]])
    """Slot times by variant, of every attempt that completed before the end."""
    loads_s: dict[str, list[float]] = field(default_factory=dict[str, list[float]])
    """Measured loads by variant."""
    registered: dict[str, events.ModelRegistered] = field(
        default_factory=dict[str, events.ModelRegistered]
    )
    devices: dict[str, events.DeviceAttached] = field(
        default_factory=dict[str, events.DeviceAttached]
    )
    """Those that were attached at some moment of the time, as they were last."""
    parameters: Parameters = DEFAULTS
    """What the policy was set to at the end."""

    @property
    def dedicated(self) -> bool:
        """Whether its devices have one model at a time, which the leader chooses."""
        return any(device.mode is DeviceMode.DEDICATED for device in self.devices.values())

    @property
    def places(self) -> int:
        """Devices; where all is loaded, their slots, which are then as good as devices."""
        return sum(1 if self.dedicated else device.slots for device in self.devices.values())

    @property
    def slots(self) -> int:
        """Slots of each place."""
        if not self.dedicated:
            return 1
        return max(device.slots for device in self.devices.values())


def read_load(rows: Iterable[LogRow], pool: str, *, begin: float, end: float) -> RecordedLoad:
    """The load of a pool from `begin` to `end`, seconds since the epoch.

    Raises `NewerEventError` and `DamagedEventError`.
    """
    reading = _Reading(pool, RecordedLoad(begin, end))
    for stream, event in _events(rows):
        if event.at >= end and isinstance(event, events.TaskAccepted):
            continue
        reading.take(UUID(stream), event)
    return reading.finished()


def _events(rows: Iterable[LogRow]) -> Iterator[tuple[str, Decision]]:
    codec = EventCodec()
    is_read = concerns(codec.names(TYPES))
    for row in rows:
        if is_read(row[3]):
            yield row[1], read_event(codec, recorded(row))


class _Reading:
    """Takes the events of a log in order."""

    def __init__(self, pool: str, load: RecordedLoad) -> None:
        self._pool = pool
        self._load = load
        self._devices: dict[str, events.DeviceAttached] = {}
        self._dependents: dict[UUID, list[UUID]] = {}

    def take(self, stream: UUID, event: Decision) -> None:
        """The next event."""
        if getattr(event, "pool", self._pool) != self._pool:
            return
        match event:
            case events.TaskAccepted():
                self._accepted(stream, event)
            case events.DeviceAttached() | events.DeviceDetached() | events.ResidencyChanged():
                self._of_device(event)
            case events.ModelRegistered():
                self._load.registered[event.variant] = event
            case events.PolicySet():
                if event.at < self._load.end:
                    self._load.parameters = from_figures(event.figures)
            case _:
                task = self._load.tasks.get(stream)
                if task is not None:
                    self._of_task(stream, task, event)

    def finished(self) -> RecordedLoad:
        """All that was read."""
        self._load.devices = self._devices
        return self._load

    def _of_device(
        self, event: events.DeviceAttached | events.DeviceDetached | events.ResidencyChanged
    ) -> None:
        load = self._load
        match event:
            case events.DeviceAttached():
                if event.at < load.end:
                    self._devices[event.device] = event
            case events.DeviceDetached():
                if event.at < load.begin:
                    self._devices.pop(event.device, None)
            case events.ResidencyChanged():
                if event.loaded and event.at < load.end:
                    load.loads_s.setdefault(event.loaded, []).append(event.load_s)

    def _accepted(self, stream: UUID, event: events.TaskAccepted) -> None:
        prepared = event.at
        if event.conversation is not None or event.cache:
            prepared += PREPARATION_S
        arrival = max(prepared, event.not_before or 0.0, self._load.begin)
        self._load.tasks[stream] = AskedTask(event, arrival)
        for name in event.awaits:
            self._dependents.setdefault(UUID(name), []).append(stream)

    def _of_task(self, stream: UUID, task: AskedTask, event: Decision) -> None:
        load = self._load
        match event:
            case events.TaskPrepared():
                task.arrival = max(event.at, load.begin)
            case events.TaskGranted():
                if event.at < load.begin:
                    # It ran before: it is part of the time before.
                    del load.tasks[stream]
                    return
                task.begun_at = event.at if task.begun_at is None else task.begun_at
                task.granted_at, task.variant = event.at, event.variant
                task.share = 1.0 / event.batch.size if event.batch is not None else 1.0
            case events.TaskCompleted():
                if event.cached_from:
                    task.ended = "cached"
                else:
                    taken_s = self._occupied(task, event.at)
                    task.ended = "completed"
                    self._let_go(stream, event.at)
                    if event.at < load.end:
                        load.runs_s.setdefault(event.variant, []).append(taken_s)
            case _ if isinstance(event, _ENDED):
                self._occupied(task, event.at)
            case _:
                self._occupied(task, event.at)
                task.ended = type(event).__name__
        if event.at < load.begin and task.ended:
            del load.tasks[stream]

    def _let_go(self, stream: UUID, at: float) -> None:
        """What depends on a task may be granted from its end on."""
        for dependent in self._dependents.pop(stream, ()):
            waiting = self._load.tasks.get(dependent)
            if waiting is not None:
                waiting.arrival = max(waiting.arrival, at)

    def _occupied(self, task: AskedTask, at: float) -> float:
        if task.granted_at is None:
            return 0.0
        taken_s = max(0.0, at - task.granted_at) * task.share
        task.occupied_s += taken_s
        task.granted_at = None
        return taken_s
