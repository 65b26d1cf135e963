"""A device that loads on demand is idle beside waiting work only for a reason that ends."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.contracts.events import DeviceMode
from pointsman.policy.holder_wait import PATIENCE
from tests.support.loading_world import LoadingWorld, loading_model

MODELS: Final = [loading_model("a"), loading_model("b", load_s=5.0), loading_model("c", load_s=1.0)]
LOADS: Final = {known.variant: known.load_s for known in MODELS}
ROUNDING_S: Final = 1e-6

WORK: Final = st.lists(
    st.tuples(
        st.sampled_from(sorted(LOADS)),
        st.integers(0, 200),
        st.sampled_from([1.0, 8.0, 30.0, 90.0]),
        st.sampled_from(["acme", "zeta"]),
    ),
    min_size=1,
    max_size=30,
)


def waiting(world: LoadingWorld) -> Mapping[str, list[UUID]]:
    """Tasks that have come and have not begun, by their model, the first one first."""
    found: defaultdict[str, list[UUID]] = defaultdict(list)
    for task in world.pool.tasks:
        if world.fates[task].granted is None:
            found[world.fates[task].variants[0]].append(task)
    return found


@dataclass
class Watcher:
    """Holds idle devices against the work that waits beside them."""

    since: dict[UUID, float] = field(default_factory=dict[UUID, float])
    """When a task that is first in its class was first seen beside an idle device."""
    kept_waiting: int = 0

    def __call__(self, world: LoadingWorld) -> None:
        idle = [n for n in world.devices if not world.in_flight[n] and n not in world.loading]
        loading = [change.load for change in world.loading.values()]
        for variant, tasks in waiting(world).items():
            assert not any(variant in world.resident[name] for name in idle)
            if idle and loading.count(variant) < len(tasks):
                self._kept_waiting(world, variant, tasks[0])
            else:
                self.since.pop(tasks[0], None)

    def _kept_waiting(self, world: LoadingWorld, variant: str, first: UUID) -> None:
        self.kept_waiting += 1
        since = self.since.setdefault(first, world.now)
        assert world.now - since < PATIENCE * LOADS[variant] + ROUNDING_S
        in_force = [hold for hold in world.holds if hold.at <= world.now < hold.until]
        assert in_force
        for hold in in_force:
            assert hold.until - hold.at <= PATIENCE * LOADS[hold.variants[0]] + ROUNDING_S


def watched(devices: int, work: list[tuple[str, int, float, str]]) -> Watcher:
    watcher = Watcher()
    modes = {f"gpu-{n}": DeviceMode.DEDICATED for n in range(devices)}
    world = LoadingWorld(MODELS, modes, verify=False, watch=watcher)
    for variant, at_s, run_s, tenant in work:
        world.submit(variant, at_s=at_s, run_s=run_s, tenant=tenant)
    world.run()
    assert not waiting(world)
    return watcher


@settings(max_examples=80, deadline=None)
@given(devices=st.integers(1, 3), work=WORK)
def test_a_device_is_idle_beside_work_only_under_a_hold_and_no_longer_than_the_patience(
    devices: int, work: list[tuple[str, int, float, str]]
) -> None:
    watched(devices, work)


def test_a_device_that_could_load_for_a_task_is_idle_while_a_holder_runs() -> None:
    work = [("a", 0, 30.0, "acme"), ("a", 25, 1.0, "acme"), ("b", 26, 30.0, "acme")]

    assert watched(3, work).kept_waiting
