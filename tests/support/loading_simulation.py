"""A simulated pool whose devices load what the leader chooses, and operators who steer it.

Engines, operators and the log are asked apart: what one of them knows is held against the others.
"""

from typing import Final
from uuid import UUID

from pointsman.contracts.decided import Decided
from pointsman.contracts.events import (
    DeviceMode,
    Residency,
    ResidencyGranted,
    SlotHeld,
    TaskAccepted,
)
from pointsman.contracts.leases import DeviceOffer, ResidencyDone, ResidencyOutcome, ResidencyReport
from pointsman.contracts.steering import SteeringCommand
from pointsman.scheduler.domain.attempts.ends import decide_lost
from pointsman.scheduler.domain.residency.asks import OPERATOR
from pointsman.scheduler.domain.residency.ends import decide_residency_lost, decide_residency_report
from pointsman.scheduler.domain.running import Running
from pointsman.scheduler.domain.steering.agreed import Agreed
from pointsman.scheduler.domain.steering.commands import decide_steering
from tests.support.agreements import Agreements
from tests.support.engines import CUT_OFF, Engine
from tests.support.hedging import Attempt
from tests.support.influences import canary
from tests.support.loading_world import loading_model
from tests.support.pool_copies import copied
from tests.support.pool_simulation import Simulation
from tests.support.scheduling import COMPLETED, folded, offer

MODELS: Final = (
    loading_model("best", family="summarize", quality=0.9, load_s=4.0, run_s=1.0),
    loading_model("fast", family="summarize", quality=0.5, load_s=1.0, run_s=0.25),
    loading_model("label", family="classify", quality=0.7, load_s=0.5, run_s=0.125),
    loading_model("speak", family="speech", load_s=8.0, run_s=2.0),
    loading_model("wide", family="render", load_s=2.0, run_s=1.0, memory_mib=200.0, devices=2),
)
LOADS: Final = {known.variant: known.load_s for known in MODELS}
DONE: Final = ResidencyDone()
ROUNDING_S: Final = 1e-6


def _loading(
    device: str, *, slots: int = 1, mode: DeviceMode = DeviceMode.DEDICATED
) -> DeviceOffer:
    return DeviceOffer(
        device=device,
        endpoint=f"grpc://127.0.0.1:8001#{device}",
        device_class="cpu",
        slots=slots,
        residency=(),
        mode=mode,
        memory_mib=250.0,
        loadable=tuple(
            Residency(variant=known.variant, slots=slots, max_batch=slots) for known in MODELS
        ),
    )


LOADING: Final = {
    "executor-1": (_loading("gpu-0"), _loading("gpu-1", slots=2)),
    "executor-2": (
        _loading("gpu-2", slots=3, mode=DeviceMode.SHARED),
        offer("cpu-0", slots=1, variants=("label",)),
    ),
}


class LoadingSimulation(Simulation):
    """Engines with a residency of their own, and what operators have asked for."""

    refusals = frozenset({"shed", "tenant_queue_full"})

    def __init__(self) -> None:
        offers = [each for executor in LOADING.values() for each in executor if each.loadable]
        self.engines = {each.device: Engine(each) for each in offers}
        self.told: list[ResidencyReport] = []
        """Reports of changes that were answered."""
        self.agreements = Agreements()
        self._reach = True
        self._set_back_s = 0.0
        super().__init__(LOADING, MODELS)

    # -- what happens --------------------------------------------------------------------------

    def round(self, *, reach: bool = True) -> list[Decided]:
        """Decide a round whose orders reach their executors, or do not yet."""
        self._reach = reach
        before = Running(self.pool.devices)
        decided = super().round()
        self.agreements.check_limits(before, Running(self.pool.devices))
        for event in (event for item in decided for event in item.events):
            if isinstance(event, ResidencyGranted):
                self._check_change(event)
                if reach:
                    self._begins(event)
            elif isinstance(event, SlotHeld):
                self._check_hold(event)
        return decided

    def begin(self, task: UUID, grant: Attempt) -> None:
        accepted = self.history.of(task)[0]
        assert isinstance(accepted, TaskAccepted)
        self.agreements.check_grant(task, accepted, grant)
        engine = self.engines.get(grant.device)
        if engine is not None:
            assert grant.variant in engine.loaded, "runs what is not loaded"
            assert grant.device not in self._members(), "runs beside another one's instance"
            assert engine.change is None or engine.offer.mode is DeviceMode.SHARED
        if self._reach:
            super().begin(task, grant)
        else:
            self.granted.append((task, grant))

    def rounds(self) -> None:
        """Until nothing is left to decide at this moment."""
        for _ in range(100):
            if not self.round():
                return
        raise AssertionError("rounds go on for ever")

    def everybody_works(self) -> None:
        """Whatever engines do is done."""
        self.changes_end()
        for task, grant in self.granted:
            if (task, grant.attempt) in self.calls[grant.device]:
                self.report(task, grant, COMPLETED)

    def changes_end(self) -> None:
        """Whatever is loaded or unloaded is."""
        for device in self.engines:
            self.orders_come_after_all(device)
            self.change_ends(device, DONE)

    def ends(self) -> None:
        """Operators take everything back, devices are there again, and everybody works."""
        for command in self.agreements.taken_back():
            self.steer(command)
        for executor in self.offers:
            self.restart(executor)
        self.hears(canary("gpu-0", healthy=True))
        for _ in range(8 + 2 * len(self.pool.tasks)):
            if not self.pool.tasks:
                break
            self.passes(61.0)
            self.rounds()
            self.everybody_works()
        assert not self.pool.tasks
        self.passes(600.0)
        self.rounds()
        assert not any(device.occupied for device in self.pool.devices.values())

    def set_clock_back(self, seconds: float) -> None:
        self._set_back_s += seconds
        super().set_clock_back(seconds)

    def orders_come_after_all(self, device: str) -> None:
        """What is granted is sent again until it is received."""
        change = self.pool.devices[device].changing
        if change is not None and self.engines[device].change is None:
            self._begins(change)

    def change_ends(self, device: str, outcome: ResidencyOutcome) -> None:
        """A change that has reached its engine is over."""
        engine = self.engines[device]
        if engine.change is not None:
            self._tell(engine.ends(outcome, LOADS.get(engine.change.load, 0.0)))

    def repeats(self, report: ResidencyReport) -> None:
        """A report whose answer was lost comes again; it was recorded, so it changes nothing."""
        assert decide_residency_report(self.pool, report, at=self.now) is None

    def gives_up(self) -> None:
        """What never reached its executor is not listed by it for a lease's life."""
        for device, engine in self.engines.items():
            if engine.change is None:
                lost = decide_residency_lost(self.pool, device, "lease_expired", at=self.now)
                self.record_all([lost] if lost is not None else [])
        for task, lease in self.pool.leases():
            if (task.id, lease.attempt) not in self.calls[lease.device]:
                attempts = (lease.attempt,)
                gone = decide_lost(
                    self.pool, task.id, "lease_expired", at=self.now, attempts=attempts
                )
                self.record_all([gone] if gone is not None else [])

    def engines_restart(self, executor: str) -> None:
        """Its executor sees it before it takes anything else, and tells the leader."""
        mine = [each.device for each in self.offers[executor] if each.device in self.engines]
        reports = [self.engines[device].dies() for device in mine]
        for device in mine:
            self.calls[device].clear()
            self.health(device, healthy=False)
        for report in reports:
            if report is not None:
                self._tell(report)

    def restart(self, executor: str) -> None:
        """The new process knows nothing of changes; what was under way is cut off."""
        for each in self.offers[executor]:
            engine = self.engines.get(each.device)
            if engine is not None and engine.change is not None:
                engine.ends(CUT_OFF, 0.0)
        super().restart(executor)

    def steer(self, command: SteeringCommand) -> None:
        """What an operator asks for, twice: the second time nothing is left to do."""
        agreed = decide_steering(self.pool, command, at=self.now)
        if isinstance(agreed, Agreed):
            self.record(agreed.decided)
            self.agreements.note(command)
        assert not isinstance(decide_steering(self.pool, command, at=self.now), Agreed)

    def leader_restarts(self, *, from_snapshot: bool) -> None:
        """Another process goes on, with what the log or a snapshot of it tells."""
        fold = folded(self.history.entries)
        self.history.pool = copied(self.pool) if from_snapshot else fold

    def residency_of(self, device: str) -> tuple[Residency, ...] | None:
        engine = self.engines.get(device)
        return None if engine is None else engine.residency

    def _begins(self, change: ResidencyGranted) -> None:
        variants = self.pool.devices[change.device].held | self.pool.devices[change.device].suspect
        running = {variants[key].variant for key in self.calls[change.device]}
        self.engines[change.device].begins(change, running)

    def _tell(self, report: ResidencyReport) -> None:
        decided = decide_residency_report(self.pool, report, at=self.now)
        if decided is not None:
            self.record(decided)
        self.told.append(report)

    def _members(self) -> set[str]:
        return {name for engine in self.engines.values() for name in engine.gang}

    # -- what must hold ------------------------------------------------------------------------

    def _check_hold(self, hold: SlotHeld) -> None:
        """It ends after the patience for a load, or when a load of a holder may end that has begun.

        What has begun before a clock was set back has begun in the future since.
        """
        holders = (
            device
            for device in self.pool.devices.values()
            if not set(hold.variants).isdisjoint(device.residents)
        )
        loads = [device.changing for device in holders if device.changing is not None]
        load_s = self.pool.models.times_of(hold.variants[0]).load_s
        begun_s = (max(self.now - each.at, each.expected_s) for each in loads)
        patience_s = self.pool.policy.parameters.holder_patience_loads * load_s
        most_s = max((patience_s, *begun_s)) + self._set_back_s
        assert 0 < hold.until - hold.at <= most_s + ROUNDING_S

    def _check_change(self, change: ResidencyGranted) -> None:
        taken = self._members()
        assert set(change.unload) <= self.engines[change.device].loaded
        # Who drains a device may have it emptied as well.
        emptied = change.cause == OPERATOR and not change.load
        assert emptied or change.device not in self.agreements.drained
        assert change.device not in taken, "changes beside another one's instance"
        for member in change.members:
            assert not self.calls[member], "a member has work"
            assert self.engines[member].empty, "a member has a model"
            assert member not in taken, "a member of two"
