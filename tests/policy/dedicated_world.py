"""A small world around the pool: tasks arrive, loads and runs end, and everything is noted."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Final

from hypothesis import strategies as st

from pointsman.contracts.message import PriorityClass
from pointsman.policy.assigned import Assigned, Drain, Load, Start
from pointsman.policy.dedicated_device import DedicatedDevice
from pointsman.policy.dedicated_pool import DedicatedPool
from pointsman.policy.device_fit import Instance
from pointsman.policy.hold import Hold
from pointsman.policy.order import virtual_deadline
from pointsman.policy.queued_task import QueuedTask

P50_S: Final = 10.0
P99_S: Final = 30.0
LOADS: Final = {"a": 5.0, "b": 10.0, "c": 20.0, "d": 20.0, "e": 40.0}


@dataclass(frozen=True)
class Asked:
    """A task before it arrives."""

    at: float
    class_id: str
    run_s: float
    tenant: str = "one"
    deadline_in_s: float | None = None
    priority_class: PriorityClass = PriorityClass.STANDARD


@dataclass(frozen=True)
class Begun:
    """A start as it was."""

    start: Start
    at: float
    run_s: float
    waiting: tuple[QueuedTask, ...]
    """Who waited, the started one included."""


@dataclass(frozen=True)
class Loaded:
    """A load as it was decided."""

    load: Load
    at: float
    load_s: float
    displaced: bool
    """A model that went still had work."""


@dataclass
class World:
    """Runs the pool; `watch` is told of each moment after its decisions."""

    devices: int
    slots: int = 1
    parts: Mapping[str, int] = field(default_factory=dict[str, int])
    """Devices that one model of a class takes, where it is not one."""
    part_mib: Mapping[str, float] = field(default_factory=dict[str, float])
    """Memory that the model of a class takes of each of them, where it is known."""
    memory_mib: Sequence[float] = ()
    """Of each device, if it is known."""
    watch: Callable[["World", float, Assigned], None] | None = None
    pool: DedicatedPool = field(default_factory=DedicatedPool)
    begun: list[Begun] = field(default_factory=list[Begun])
    loads: list[Loaded] = field(default_factory=list[Loaded])
    drains: list[Drain] = field(default_factory=list[Drain])
    holds: list[Hold] = field(default_factory=list[Hold])
    expired: list[tuple[float, QueuedTask]] = field(default_factory=list[tuple[float, QueuedTask]])
    waiting: dict[int, QueuedTask] = field(default_factory=dict[int, QueuedTask])
    asked: dict[int, Asked] = field(default_factory=dict[int, Asked])

    def __post_init__(self) -> None:
        self._due: list[tuple[float, int, Callable[[float], None]]] = []
        self._order = 0
        for number in range(self.devices):
            memory_mib = self.memory_mib[number] if self.memory_mib else 0.0
            self.pool.attach(f"device-{number}", self.slots, memory_mib)
        for class_id, load_s in LOADS.items():
            takes = Instance(self.parts.get(class_id, 1), self.part_mib.get(class_id, 0.0))
            self.pool.register(class_id, load_s=load_s, p50_s=P50_S, p99_s=P99_S, takes=takes)

    def run(self, asked: list[Asked]) -> "World":
        for number, one in enumerate(sorted(asked, key=lambda one: one.at)):
            self.asked[number] = one
            self._at(one.at, lambda now, number=number: self._arrive(number, now))
        while self._due:
            now, _, happen = heappop(self._due)
            happen(now)
            self._assign(now)
        return self

    def _at(self, at: float, happen: Callable[[float], None]) -> None:
        self._order += 1
        heappush(self._due, (at, self._order, happen))

    def _arrive(self, number: int, now: float) -> None:
        one = self.asked[number]
        deadline = None if one.deadline_in_s is None else now + one.deadline_in_s
        task = QueuedTask(
            number=number,
            class_id=one.class_id,
            tenant=one.tenant,
            key=virtual_deadline(
                one.priority_class,
                arrival=now,
                boost_s=0.0,
                latest_start=None if deadline is None else deadline - P99_S,
            ),
            arrival=now,
            deadline=deadline,
        )
        self.waiting[number] = task
        self.pool.enqueue(task, now)

    def _assign(self, now: float) -> None:
        before = {name: device.resident for name, device in self.pool.devices.items()}
        waiting = dict(self.waiting)
        assigned = self.pool.assign(now)
        for task in assigned.expired:
            self.expired.append((now, task))
            del self.waiting[task.number]
            waiting.pop(task.number)
        with_work = {task.class_id for task in waiting.values()}
        for load in assigned.loads:
            gone = {before[name] for name in load.devices} - {load.choice.class_id}
            self._load(load, now, displaced=not gone.isdisjoint(with_work))
        for start in assigned.starts:
            self._begin(start, now, tuple(waiting.values()))
            del waiting[start.task.number]
        self.drains += assigned.drains
        for hold in assigned.holds:
            self.holds.append(hold)
            self._at(hold.until, lambda _: None)
        if self.watch is not None:
            self.watch(self, now, assigned)

    def _load(self, load: Load, now: float, *, displaced: bool) -> None:
        load_s = LOADS[load.choice.class_id]
        self.loads.append(Loaded(load, now, load_s, displaced))
        device = load.devices[0]
        self._at(now + load_s, lambda at: self.pool.loaded(device, load_s, at))

    def _begin(self, start: Start, now: float, waiting: tuple[QueuedTask, ...]) -> None:
        device, number = start.device, start.task.number
        del self.waiting[number]
        run_s = self.asked[number].run_s
        self.begun.append(Begun(start, now, run_s, waiting))
        self._at(now + run_s, lambda at: self.pool.ended(device, number, run_s, at))

    def device(self, name: str) -> DedicatedDevice:
        return self.pool.devices[name]


ASKED: Final = st.builds(
    Asked,
    at=st.integers(0, 600).map(float),
    class_id=st.sampled_from(sorted(LOADS)),
    run_s=st.integers(1, int(P99_S)).map(float),
    tenant=st.sampled_from(("one", "two", "three")),
    deadline_in_s=st.none() | st.integers(1, 400).map(float),
    priority_class=st.sampled_from(PriorityClass),
)
WORK: Final = st.lists(ASKED, min_size=1, max_size=40)
DEVICES: Final = st.integers(1, 3)
SLOTS: Final = st.integers(1, 3)
