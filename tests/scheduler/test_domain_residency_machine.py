"""Random histories of devices that load on demand: loads, failures, drains, pauses and restarts.

Whatever happens, nothing runs before its model is there, nothing is unloaded while it is used, and
every task ends once.
"""

from typing import Final

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from pointsman.contracts.events import ScopeKind
from pointsman.contracts.leases import ResidencyOutcome, ResidencyRefused
from pointsman.contracts.message import PriorityClass
from pointsman.contracts.steering import NO_LIMIT, SteeringCommand
from pointsman.time_machine.replay.verification import Verification
from tests.scheduler.test_domain_machine import EXECUTORS, PICKS, PoolMachine
from tests.support import steering
from tests.support.loading_simulation import DONE, LoadingSimulation
from tests.support.log_rows import rows_of

DEVICES: Final = st.sampled_from(["gpu-0", "gpu-1", "gpu-2"])
FAMILIES: Final = st.sampled_from(["speech", "render", "summarize", "classify"])
ARRIVALS: Final = st.lists(st.tuples(FAMILIES, st.booleans()), min_size=1, max_size=6)
"""Families of tasks that come one after the other, and whether what runs ends meanwhile."""
REFUSED: Final = ResidencyRefused(code="load_failed", message="no")
STEERED: Final[list[SteeringCommand]] = [
    *(steering.drain(device) for device in ("gpu-0", "gpu-1", "gpu-2")),
    *(steering.undrain(device) for device in ("gpu-0", "gpu-1", "gpu-2")),
    *(do(ScopeKind.MODEL, "best") for do in (steering.pause, steering.resume)),
    *(do(ScopeKind.FAMILY, "speech") for do in (steering.pause, steering.resume)),
    *(do(ScopeKind.TENANT, "zeta") for do in (steering.pause, steering.resume)),
    *(do(ScopeKind.POOL, "main") for do in (steering.pause, steering.resume, steering.resume)),
    *(steering.limit("fast", running) for running in (1, 2, NO_LIMIT)),
    *(steering.set_tenant("zeta", running=running) for running in (0, 1, NO_LIMIT)),
    steering.set_tenant("zeta", weight=4.0),
    steering.set_tenant("acme", queued=3),
    steering.set_tenant("acme", queued=NO_LIMIT),
    *(steering.load(variant) for variant in ("speak", "fast")),
    *(steering.load("best", device) for device in ("gpu-0", "gpu-2")),
    *(steering.unload(variant) for variant in ("speak", "best", "wide")),
]
"""What operators ask for, most of it with what takes it back."""


KEPT_BACK: Final[list[tuple[SteeringCommand, SteeringCommand]]] = [
    *((steering.drain(device), steering.undrain(device)) for device in ("gpu-0", "gpu-2")),
    *(
        (steering.pause(kind, name), steering.resume(kind, name))
        for kind, name in (
            (ScopeKind.MODEL, "fast"),
            (ScopeKind.FAMILY, "classify"),
            (ScopeKind.TENANT, "zeta"),
        )
    ),
    (steering.limit("speak", 1), steering.limit("speak", NO_LIMIT)),
    (steering.set_tenant("zeta", running=1), steering.set_tenant("zeta", running=NO_LIMIT)),
]
"""What keeps some work back, and what ends that."""


class ResidencyMachine(PoolMachine):
    """As the other, in a pool that loads what it needs."""

    def __init__(self) -> None:
        super().__init__()
        self.world = LoadingSimulation()
        self.simulation = self.world

    @rule(
        family=FAMILIES,
        tenant=st.sampled_from(["acme", "zeta"]),
        priority_class=st.sampled_from(PriorityClass),
        deadline_in_s=st.none() | st.sampled_from([3.0, 60.0]),
        count=st.integers(1, 3),
    )
    def submit_what_has_to_be_loaded(
        self,
        family: str,
        tenant: str,
        priority_class: PriorityClass,
        deadline_in_s: float | None,
        count: int,
    ) -> None:
        for _ in range(count):
            self.world.submit(family, priority_class, deadline_in_s=deadline_in_s, tenant=tenant)

    @rule(steered=st.sampled_from(KEPT_BACK), arrivals=ARRIVALS, over=st.booleans())
    def some_work_is_kept_back(
        self,
        steered: tuple[SteeringCommand, SteeringCommand],
        arrivals: list[tuple[str, bool]],
        *,
        over: bool,
    ) -> None:
        begin, end = steered
        self.world.steer(begin)
        self.a_while_goes_by(arrivals, 5.0)
        if over:
            self.world.steer(end)

    @rule(arrivals=ARRIVALS, seconds=st.sampled_from([0.125, 5.0, 31.0]))
    def a_while_goes_by(self, arrivals: list[tuple[str, bool]], seconds: float) -> None:
        for family, works in arrivals:
            self.world.submit(family, PriorityClass.INTERACTIVE, tenant="zeta")
            self.world.rounds()
            self.world.passes(seconds)
            if works:
                self.world.everybody_works()
            else:
                self.world.changes_end()
            self.world.rounds()

    @rule()
    def rounds(self) -> None:
        self.world.rounds()

    @rule()
    def a_round_whose_orders_are_late(self) -> None:
        self.world.round(reach=False)

    @rule(device=DEVICES)
    def orders_come_after_all(self, device: str) -> None:
        self.world.orders_come_after_all(device)

    @rule(device=DEVICES, outcome=st.sampled_from([DONE, DONE, REFUSED]))
    def a_change_ends(self, device: str, outcome: ResidencyOutcome) -> None:
        self.world.change_ends(device, outcome)

    @rule()
    def everybody_works(self) -> None:
        self.world.everybody_works()

    @precondition(lambda self: self.world.told)
    @rule(pick=PICKS)
    def the_report_of_a_change_comes_again(self, pick: int) -> None:
        self.world.repeats(self.world.told[pick % len(self.world.told)])

    @rule()
    def what_never_came_is_given_up(self) -> None:
        self.world.gives_up()

    @rule(executor=EXECUTORS)
    def engines_restart(self, executor: str) -> None:
        self.world.engines_restart(executor)

    @rule(executor=EXECUTORS)
    def engines_restart_while_their_executor_is_thought_absent(self, executor: str) -> None:
        self.world.falls_silent(executor)
        self.world.engines_restart(executor)
        self.world.is_heard_again(executor)
        for device in self.world.engines:
            self.world.health(device, healthy=True)

    @rule(device=DEVICES)
    def a_device_is_back(self, device: str) -> None:
        self.world.health(device, healthy=True)

    @rule(command=st.sampled_from(STEERED))
    def an_operator_asks_twice(self, command: SteeringCommand) -> None:
        self.world.steer(command)

    @precondition(lambda self: self.world.accepted)
    @rule(pick=PICKS, held=st.booleans())
    def an_operator_holds_or_releases_a_task(self, pick: int, *, held: bool) -> None:
        task = self.world.accepted[pick % len(self.world.accepted)]
        self.world.steer(steering.hold(task) if held else steering.release(task))

    @rule(from_snapshot=st.booleans())
    def another_leader_goes_on(self, *, from_snapshot: bool) -> None:
        self.world.leader_restarts(from_snapshot=from_snapshot)

    def teardown(self) -> None:
        self.world.ends()
        self.world.check()

        again = Verification("main")
        again.take(rows_of(self.world.history.entries))
        again.end()
        assert again.differences == []


ResidencyMachine.TestCase.settings = settings(
    max_examples=50, stateful_step_count=25, deadline=None
)
TestResidencyMachine = ResidencyMachine.TestCase
