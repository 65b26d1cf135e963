"""What a pool was asked in some time, and what became of it, read from the log."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from pointsman.contracts import events
from pointsman.contracts.events import Decision, DeviceMode, ScopeKind
from pointsman.contracts.topics import EventCodec
from pointsman.eventstore.log_rows import LogRow
from pointsman.eventstore.reading import concerns, read_event
from pointsman.policy.parameters import UNTOLD, Parameters, from_figures
from pointsman.time_machine.known_runs import Expected
from pointsman.time_machine.moments import Span
from pointsman.time_machine.pool_log import recorded
from pointsman.time_machine.whatif.asked_tasks import OF_TASKS, TERMINAL, AskedTask
from pointsman.time_machine.whatif.device_turns import OF_DEVICES, RecordedDevices
from pointsman.time_machine.whatif.kept_back import OF_LIMITS, KeptBack, Scope, Spell
from pointsman.time_machine.whatif.surroundings import (
    NOT_REPEATED,
    OF_SURROUNDINGS,
    REPEATED,
    Surroundings,
)

TYPES: Final = (
    events.TaskAccepted,
    *OF_TASKS,
    events.DeviceAttached,
    events.ResidencyChanged,
    events.ModelRegistered,
    events.PolicySet,
    *OF_LIMITS,
    *OF_DEVICES,
    *OF_SURROUNDINGS,
)
"""What is read; everything else is passed over undecoded."""


_MICROSECONDS: Final = 1_000_000


@dataclass(slots=True)
class RecordedLoad:
    """Everything that a simulation of the same time needs."""

    begin: float
    end: float
    tasks: dict[UUID, AskedTask] = field(default_factory=dict[UUID, AskedTask])
    runs_s: dict[str, list[float]] = field(default_factory=dict[str, list[float]])
    """Slot times by variant, of every attempt that completed before the end."""
    loads_s: dict[str, list[float]] = field(default_factory=dict[str, list[float]])
    """Measured loads by variant, with the unload that made room."""
    registered: dict[str, events.ModelRegistered] = field(
        default_factory=dict[str, events.ModelRegistered]
    )
    devices: dict[str, events.DeviceAttached] = field(
        default_factory=dict[str, events.DeviceAttached]
    )
    """Those that were attached at some moment of the time, as they were last."""
    parameters: Parameters = UNTOLD
    """What the policy was set to at the end."""
    turned: RecordedDevices = field(default_factory=RecordedDevices)
    """What became of the devices, from the beginning of the log on."""
    kept_back: KeptBack = field(default_factory=KeptBack)
    """Limits, pauses and times without a leader, likewise."""
    repeated: dict[str, int] = field(default_factory=dict[str, int])
    """What operators and the fleet did, by its name; see `Surroundings`."""
    not_repeated: dict[str, int] = field(default_factory=dict[str, int])
    """What else there was."""

    @property
    def dedicated(self) -> bool:
        """Whether its devices have one model at a time, which the leader chooses."""
        return any(device.mode is DeviceMode.DEDICATED for device in self.devices.values())

    @property
    def expected(self) -> dict[str, Expected]:
        """What was known of each variant before it was ever loaded."""
        offers = [each for device in self.devices.values() for each in _offered(device)]
        slots = {
            name: max(each.slots for each in offers if each.variant == name)
            for name in {each.variant for each in offers}
        }
        return {
            name: Expected(each.service_s, each.service_p99_s, each.load_s, slots.get(name, 0))
            for name, each in self.registered.items()
        }

    @property
    def models(self) -> dict[str, list[str]]:
        """Variants by family."""
        found: dict[str, list[str]] = {}
        for each in self.registered.values():
            found.setdefault(each.family, []).append(each.variant)
        return found

    def holds(self, task: AskedTask) -> list[Spell]:
        """When operators held a task, or the one that it is a part of."""
        whole = self.tasks.get(UUID(task.accepted.parent)) if task.accepted.parent else None
        return task.holds if whole is None else task.holds + whole.holds

    def pauses(self, task: AskedTask, variant: str) -> list[Spell]:
        """When something was paused that a task belongs to, which runs on this variant."""
        spells = self.kept_back.spells(scopes_of(task.accepted, (variant,)))
        return [(since, min(until, self.end)) for since, until in spells if since < self.end]

    def later_pauses(self, task: AskedTask, variant: str) -> list[Spell]:
        """The same behind the time, where nothing is paused that is simulated."""
        spells = self.kept_back.spells(scopes_of(task.accepted, (variant,)))
        return [(max(since, self.end), until) for since, until in spells if until > self.end]

    @property
    def slots(self) -> int:
        """Slots of each device: of devices that differ the mean, where all is loaded."""
        slots = [device.slots for device in self.devices.values()]
        if not slots:
            return 1
        return max(slots) if self.dedicated else max(1, round(sum(slots) / len(slots)))

    def devices_of(self, variant: str) -> int:
        """Devices that one loaded copy of a variant takes; 1 where all is loaded."""
        registered = self.registered.get(variant)
        if not self.dedicated or registered is None:
            return 1
        return registered.devices_per_instance


def _offered(device: events.DeviceAttached) -> tuple[events.Residency, ...]:
    return (*device.residency, *device.loadable)


def scopes_of(accepted: events.TaskAccepted, variants: Sequence[str]) -> list[Scope]:
    """What may be paused of a task that runs on one of these."""
    return [
        (ScopeKind.POOL, accepted.pool),
        (ScopeKind.TENANT, accepted.tenant),
        (ScopeKind.FAMILY, accepted.family),
        *((ScopeKind.MODEL, variant) for variant in variants),
    ]


def read_load(rows: Iterable[LogRow], pool: str, span: Span) -> RecordedLoad:
    """The load of a pool in a time; raises `NewerEventError` and `DamagedEventError`."""
    reading = _Reading(pool, RecordedLoad(*span))
    for stream, event, seen_at in _events(rows):
        reading.take(UUID(stream), event, seen_at)
    return reading.finished()


def _events(rows: Iterable[LogRow]) -> Iterator[tuple[str, Decision, float]]:
    """Each with the time at which anything was recorded before it."""
    codec = EventCodec()
    is_read = concerns(codec.names(TYPES))
    seen_us = 0
    for row in rows:
        if is_read(row[3]):
            yield row[1], read_event(codec, recorded(row)), seen_us / _MICROSECONDS
        seen_us = row[4]


class _Reading:
    """Takes the events of a log in order."""

    def __init__(self, pool: str, load: RecordedLoad) -> None:
        self._pool = pool
        self._load = load
        self._surroundings = Surroundings(load.begin)
        self._dependents: dict[UUID, list[UUID]] = {}

    def take(self, stream: UUID, event: Decision, seen_at: float) -> None:
        """The next event; behind the end of the time only what becomes of its tasks counts."""
        if getattr(event, "pool", self._pool) != self._pool:
            return
        if isinstance(event, OF_TASKS):
            self._of_task(stream, event)
        load = self._load
        if event.at >= load.end:
            load.kept_back.turn(event)
            return
        if isinstance(event, events.TaskAccepted):
            self._accepted(stream, event)
            load.kept_back.intake.accepted(event.at)
            return
        if isinstance(event, (events.TaskGranted, events.ResidencyGranted)):
            load.kept_back.intake.decided(event.at)
        self._of_pool(event)
        if isinstance(event, OF_DEVICES):
            load.turned.take(event)
        if isinstance(event, OF_LIMITS):
            load.kept_back.take(event, seen_at)
        if isinstance(event, OF_SURROUNDINGS):
            self._of_surroundings(stream, event)

    def finished(self) -> RecordedLoad:
        """All that was read."""
        load = self._load
        counts = self._surroundings.counts()
        load.repeated = {what: counts[what] for what in REPEATED}
        load.not_repeated = {what: counts[what] for what in NOT_REPEATED}
        for task in load.tasks.values():
            if task.waits:
                task.kept_back = self._keeps_back(task, load.end)
        return load

    def _accepted(self, stream: UUID, event: events.TaskAccepted) -> None:
        task = self._load.tasks[stream] = AskedTask(event, self._load.begin)
        for name in task.awaits:
            self._dependents.setdefault(name, []).append(stream)

    def _of_surroundings(self, stream: UUID, event: Decision) -> None:
        device = getattr(event, "device", None)
        known = stream in self._load.tasks or device is None or device in self._load.devices
        if known:
            self._surroundings.take(event)

    def _of_pool(self, event: Decision) -> None:
        load = self._load
        match event:
            case events.DeviceAttached():
                load.devices[event.device] = event
            case events.DeviceDetached() if event.at < load.begin:
                load.devices.pop(event.device, None)
            case events.ResidencyChanged() if event.loaded and event.device in load.devices:
                taken_s = event.load_s + event.unload_s
                load.loads_s.setdefault(event.loaded, []).append(taken_s)
            case events.ModelRegistered():
                load.registered[event.variant] = event
            case events.PolicySet():
                load.parameters = from_figures(event.figures)
            case _:
                pass

    def _of_task(self, stream: UUID, event: Decision) -> None:
        load, task = self._load, self._load.tasks.get(stream)
        if isinstance(event, events.TaskCompleted):
            self._let_dependents_go(stream, event.at)
        if task is None:
            return
        if isinstance(event, events.TaskGranted) and event.at < load.begin:
            # It ran before: it is part of the time before.
            del load.tasks[stream]
            return
        if isinstance(event, TERMINAL):
            self._ended(stream, task, event)
            return
        task.take(event)

    def _ended(self, stream: UUID, task: AskedTask, event: Decision) -> None:
        load, occupied_s = self._load, task.occupied_s
        task.kept_back = task.waits and self._keeps_back(task, event.at)
        task.take(event)
        if isinstance(event, events.TaskCompleted) and task.variant and event.at < load.end:
            load.runs_s.setdefault(task.variant, []).append(task.occupied_s - occupied_s)
        if event.at < load.begin:
            del load.tasks[stream]

    def _let_dependents_go(self, stream: UUID, at: float) -> None:
        for dependent in self._dependents.pop(stream, ()):
            task = self._load.tasks.get(dependent)
            if task is not None:
                task.awaits.discard(stream)
                task.let_go(at)

    def _keeps_back(self, task: AskedTask, at: float) -> bool:
        return task.is_kept_back(at) or self._pauses(task)

    def _pauses(self, task: AskedTask) -> bool:
        accepted, kept_back = task.accepted, self._load.kept_back
        models = ((ScopeKind.MODEL, variant) for variant in accepted.variants)
        return kept_back.is_paused(scopes_of(accepted, ())) or all(
            kept_back.is_paused([model]) for model in models
        )
