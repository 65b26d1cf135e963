"""Devices that load what the scheduler tells them to, in time that is not waited for."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Final
from uuid import UUID

import msgspec

from pointsman.contracts.decided import Decided
from pointsman.contracts.events import (
    DeviceMode,
    ModelRegistered,
    Residency,
    ResidencyGranted,
    SlotHeld,
    TaskAccepted,
    TaskExpired,
    TaskGranted,
)
from pointsman.contracts.leases import (
    AttemptReport,
    DeviceOffer,
    ResidencyDone,
    ResidencyRefused,
    ResidencyReport,
    RunCompleted,
)
from pointsman.contracts.message import PriorityClass
from pointsman.policy.order import virtual_deadline
from pointsman.scheduler.domain.attachment import decide_attach
from pointsman.scheduler.domain.attempts.ends import decide_report
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.residency.ends import decide_residency_report
from pointsman.scheduler.domain.rounds.granting import decide_round
from tests.support.scheduling import NOON, RESULT, accepted, attach, folded, given, model

EXECUTOR: Final = "executor-1"
INCARNATION: Final = "first"

Happening = ResidencyGranted | tuple[UUID, TaskGranted] | tuple[UUID, TaskAccepted]
"""A change or a call that has ended, or a task that comes."""


def loading_model(
    variant: str,
    *,
    family: str = "",
    quality: float = 0.5,
    load_s: float = 20.0,
    run_s: float = 10.0,
    memory_mib: float = 100.0,
    devices: int = 1,
) -> ModelRegistered:
    registered = model(
        variant,
        family=family or variant,
        quality=quality,
        service_s=run_s,
        service_p99_s=2 * run_s,
    )
    return msgspec.structs.replace(
        registered, load_s=load_s, memory_mib=memory_mib, devices_per_instance=devices
    )


@dataclass(slots=True)
class Fate:
    """What became of a task; seconds since noon."""

    arrived: float
    variants: tuple[str, ...]
    run_s: float
    granted: float | None = None
    variant: str = ""
    device: str = ""
    ended: float | None = None
    expired: bool = False


@dataclass
class LoadingWorld:
    """A pool, engines with a residency of their own, and a clock."""

    models: Sequence[ModelRegistered]
    devices: Mapping[str, DeviceMode]
    slots: int = 1
    memory_mib: float = 0.0
    broken: frozenset[tuple[str, str]] = frozenset()
    """Loads that fail: device and variant."""
    verify: bool = True
    watch: Callable[["LoadingWorld"], None] | None = None
    """Told of each moment at which nothing is left to decide."""
    unload_s: Mapping[str, float] = field(default_factory=dict[str, float])
    """How long unloads take, by variant; others take none, and are not measured."""
    now: float = NOON
    fates: dict[UUID, Fate] = field(default_factory=dict[UUID, Fate])
    changes: list[ResidencyGranted] = field(default_factory=list[ResidencyGranted])
    holds: list[SlotHeld] = field(default_factory=list[SlotHeld])

    def __post_init__(self) -> None:
        self.history = given(*self.models)
        self.loads = {known.variant: known.load_s for known in self.models}
        self.resident: dict[str, set[str]] = {name: set() for name in self.devices}
        self.in_flight: dict[str, dict[tuple[UUID, int], str]] = {n: {} for n in self.devices}
        self.loading: dict[str, ResidencyGranted] = {}
        self._due: list[tuple[float, int, Happening]] = []
        self._order = 0
        for decided in decide_attach(self.pool, attach(*self.offers()), at=NOON):
            assert self.history.record(decided)

    @property
    def pool(self) -> Pool:
        return self.history.pool

    def offers(self) -> list[DeviceOffer]:
        """What the executor attaches with."""
        return [self._offer(name) for name in self.devices]

    def submit(
        self,
        *variants: str,
        at_s: float = 0.0,
        run_s: float = 10.0,
        deadline_in_s: float | None = None,
        tenant: str = "acme",
        priority_class: PriorityClass = PriorityClass.STANDARD,
    ) -> UUID:
        """A task that comes `at_s` after noon."""
        self._order += 1
        task, at = UUID(int=self._order), NOON + at_s
        self.fates[task] = Fate(at_s, variants, run_s)
        deadline = None if deadline_in_s is None else at + deadline_in_s
        latest = None if deadline is None else deadline - 20.0
        family = next(m.family for m in self.models if m.variant == variants[0])
        event = accepted(
            at=at,
            key=virtual_deadline(priority_class, arrival=at, boost_s=0.0, latest_start=latest),
            family=family,
            variants=variants,
            deadline=deadline,
            priority_class=priority_class,
            tenant=tenant,
        )
        self._push(at, (task, event))
        return task

    def run(self, until_s: float = 1e9) -> None:
        """Let time go on until nothing happens any more."""
        self._rounds()
        while True:
            due = [self._due[0][0]] if self._due else []
            look = self.pool.next_due(self.now)
            if look is not None and look > self.now:
                due.append(look)
            if not due or min(due) > NOON + until_s:
                return
            self.now = max(self.now, min(due))
            while self._due and self._due[0][0] <= self.now:
                self._happen(heappop(self._due)[2])
            self._rounds()

    def _offer(self, name: str) -> DeviceOffer:
        return DeviceOffer(
            device=name,
            endpoint="noop:",
            device_class="cpu",
            slots=self.slots,
            residency=(),
            mode=self.devices[name],
            memory_mib=self.memory_mib,
            loadable=tuple(self._residency(known.variant) for known in self.models),
        )

    def _residency(self, variant: str) -> Residency:
        return Residency(variant=variant, slots=self.slots)

    def _push(self, at: float, what: Happening) -> None:
        self._order += 1
        heappush(self._due, (at, self._order, what))

    def _rounds(self) -> None:
        for _ in range(1_000):
            decided = decide_round(self.pool, at=self.now)
            if self.verify:
                assert decided == decide_round(folded(self.history.entries), at=self.now)
            if not decided:
                if self.watch is not None:
                    self.watch(self)
                return
            for item in decided:
                assert self.history.record(item)
                self._follow(item)
        raise AssertionError("rounds go on for ever")

    def _follow(self, decided: Decided) -> None:
        for event in decided.events:
            match event:
                case TaskGranted():
                    self._begin(decided.stream, event)
                case ResidencyGranted():
                    self._change(event)
                case SlotHeld():
                    self.holds.append(event)
                case TaskExpired():
                    self.fates[decided.stream].expired = True
                case _:
                    pass

    def _begin(self, task: UUID, grant: TaskGranted) -> None:
        fate = self.fates[task]
        assert grant.variant in self.resident[grant.device], "not loaded"
        changing = self.loading.get(grant.device)
        if changing is not None:
            assert self.devices[grant.device] is DeviceMode.SHARED
            assert grant.variant not in changing.unload
        flying = self.in_flight[grant.device]
        assert len(flying) < self.slots
        flying[task, grant.attempt] = grant.variant
        fate.granted, fate.variant, fate.device = self.now - NOON, grant.variant, grant.device
        self._push(self.now + fate.run_s, (task, grant))

    def _change(self, change: ResidencyGranted) -> None:
        name = change.device
        assert name not in self.loading
        flying = set(self.in_flight[name].values())
        assert not flying & set(change.unload), "unloaded while in use"
        if self.devices[name] is DeviceMode.DEDICATED:
            assert not flying
        self.loading[name] = change
        self.changes.append(change)
        self.resident[name] -= set(change.unload)
        for member in change.members:
            assert not self.in_flight[member], "a member has work"
            assert not self.resident[member], "a member has a model"
            assert member not in self.loading
        ends_in_s = sum(self._unloads_s(change).values()) + self.loads.get(change.load, 0.0)
        self._push(self.now + ends_in_s, change)

    def _unloads_s(self, change: ResidencyGranted) -> dict[str, float]:
        return {name: self.unload_s[name] for name in change.unload if name in self.unload_s}

    def _happen(self, what: Happening) -> None:
        if isinstance(what, ResidencyGranted):
            return self._changed(what)
        task, event = what
        if isinstance(event, TaskGranted):
            return self._ended(task, event)
        return self.history.append(task, event)

    def _changed(self, change: ResidencyGranted) -> None:
        name = change.device
        del self.loading[name]
        fails = (name, change.load) in self.broken
        if change.load and not fails:
            self.resident[name].add(change.load)
        if self.devices[name] is DeviceMode.DEDICATED:
            assert len(self.resident[name]) <= 1
        unloads_s = self._unloads_s(change)
        done = ResidencyDone(
            load_s=self.loads.get(change.load, 0.0),
            unload_s=sum(unloads_s.values()),
            unloads_s=unloads_s or None,
        )
        report = ResidencyReport(
            executor=EXECUTOR,
            incarnation=INCARNATION,
            device=name,
            generation=change.generation,
            outcome=ResidencyRefused(code="load_failed", message="no") if fails else done,
            residency=tuple(self._residency(v) for v in sorted(self.resident[name])),
        )
        decided = decide_residency_report(self.pool, report, at=self.now)
        assert decided is not None
        assert self.history.record(decided)
        assert decide_residency_report(self.pool, report, at=self.now) is None

    def _ended(self, task: UUID, grant: TaskGranted) -> None:
        fate = self.fates[task]
        fate.ended = self.now - NOON
        del self.in_flight[grant.device][task, grant.attempt]
        report = AttemptReport(
            executor=EXECUTOR,
            incarnation=INCARNATION,
            device=grant.device,
            task=task,
            attempt=grant.attempt,
            outcome=RunCompleted(result=RESULT, run_s=fate.run_s),
        )
        decided = decide_report(self.pool, report, at=self.now, draw=0.5)
        assert decided is not None
        assert self.history.record(decided)
