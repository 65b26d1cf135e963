"""What is loaded where, decided by the scheduler on devices that load on demand."""

from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.contracts.events import (
    BreakerOpened,
    DeviceMode,
)
from pointsman.contracts.message import PriorityClass
from pointsman.contracts.streams import stream_id
from pointsman.scheduler.domain.devices import IDLE_UNLOAD_S
from tests.support.loading_world import LoadingWorld, loading_model
from tests.support.scheduling import NOON

DEDICATED = {"gpu-0": DeviceMode.DEDICATED}
TWO = {"gpu-0": DeviceMode.DEDICATED, "gpu-1": DeviceMode.DEDICATED}
A, B, C = loading_model("a"), loading_model("b"), loading_model("c")


def test_a_model_is_loaded_for_the_first_task_that_needs_it() -> None:
    world = LoadingWorld([A], DEDICATED)
    task = world.submit("a")

    world.run(100)

    change = world.changes[0]
    assert (change.load, change.unload, change.task) == ("a", (), str(task))
    assert change.figures is not None
    assert change.figures.rule == "backlog"
    assert world.fates[task].granted == 20.0


def test_a_device_stays_with_its_model_while_that_has_work_and_nobody_is_late() -> None:
    world = LoadingWorld([A, B], DEDICATED)
    mine = [world.submit("a") for _ in range(5)]
    other = world.submit("b", at_s=1.0, priority_class=PriorityClass.BACKGROUND)

    world.run(1_000)

    assert [change.load for change in world.changes[:2]] == ["a", "b"]
    ended = [world.fates[task].ended or 0.0 for task in mine]
    assert (world.fates[other].granted or 0.0) > max(ended)


def test_one_class_is_not_loaded_twice_while_its_holder_will_have_time_soon() -> None:
    world = LoadingWorld([A, B], TWO)
    for _ in range(4):
        world.submit("a")

    world.run(1_000)

    assert [change.load for change in world.changes if change.load] == ["a"]
    assert world.holds
    assert world.holds[0].variants == ("a",)


def test_a_load_that_takes_longer_than_expected_is_not_begun_twice_for_one_task() -> None:
    slow = LoadingWorld([A], TWO)
    slow.loads["a"] = 90.0
    slow.submit("a")
    slow.submit("a", at_s=200.0)

    slow.run(150)

    assert [change.load for change in slow.changes] == ["a"]


def test_a_long_backlog_is_worth_a_second_load() -> None:
    world = LoadingWorld([A, B], TWO)
    for _ in range(60):
        world.submit("a")

    world.run(10_000)

    assert {change.device for change in world.changes if change.load} == {"gpu-0", "gpu-1"}


def test_a_device_with_several_slots_drains_before_it_swaps() -> None:
    world = LoadingWorld([A, B], DEDICATED, slots=3)
    for n in range(12):
        world.submit("a", at_s=3.0 * n, run_s=7.0)
    late = world.submit("b", at_s=1.0, priority_class=PriorityClass.INTERACTIVE)

    world.run(10_000)

    # The world refuses an unload with work in flight; so the late class got its turn in between.
    assert world.fates[late].granted is not None
    assert [change.load for change in world.changes if change.load][:2] == ["a", "b"]


def test_a_task_that_no_load_can_save_expires_before_it_costs_one() -> None:
    world = LoadingWorld([A], DEDICATED)
    task = world.submit("a", deadline_in_s=15.0)

    world.run(1_000)

    assert world.fates[task].expired
    assert not world.changes


def test_the_smaller_variant_is_loaded_where_the_better_one_would_be_too_late() -> None:
    large = loading_model("large", family="f", quality=0.9, load_s=60.0)
    small = loading_model("small", family="f", quality=0.4, load_s=5.0)
    world = LoadingWorld([large, small], DEDICATED)
    hurried = world.submit("large", "small", deadline_in_s=30.0)

    world.run(1_000)

    assert world.fates[hurried].variant == "small"


def test_a_device_serves_every_class_that_admits_its_variant() -> None:
    large = loading_model("large", family="f", quality=0.9)
    small = loading_model("small", family="f", quality=0.4)
    world = LoadingWorld([large, small], DEDICATED)
    pinned = world.submit("small")
    free = world.submit("large", "small", at_s=1.0)

    world.run(1_000)

    assert [change.load for change in world.changes if change.load] == ["small"]
    assert {world.fates[pinned].variant, world.fates[free].variant} == {"small"}


def test_a_failed_load_is_tried_on_another_device_and_here_only_later() -> None:
    world = LoadingWorld([A], TWO, broken=frozenset({("gpu-0", "a")}))
    task = world.submit("a")

    world.run(1_000)

    assert world.fates[task].device == "gpu-1"
    assert [change.device for change in world.changes if change.load] == ["gpu-0", "gpu-1"]


def test_a_shared_device_takes_models_side_by_side_as_far_as_memory_goes() -> None:
    world = LoadingWorld([A, B, C], {"gpu-0": DeviceMode.SHARED}, slots=2, memory_mib=250.0)
    world.submit("a")
    world.submit("b", at_s=30.0)
    third = world.submit("c", at_s=200.0)

    world.run(500)

    loads = [(change.load, change.unload) for change in world.changes]
    assert loads == [("a", ()), ("b", ()), ("c", ("a",))]
    assert world.fates[third].granted == 220.0


def test_a_device_that_nobody_uses_gives_its_memory_back() -> None:
    world = LoadingWorld([A], DEDICATED)
    world.submit("a")

    world.run(2 * IDLE_UNLOAD_S)

    last = world.changes[-1]
    assert (last.unload, last.load, last.cause) == (("a",), "", "idle")
    assert not world.resident["gpu-0"]


def test_an_instance_over_two_devices_takes_both_when_both_have_nothing_in_flight() -> None:
    wide = loading_model("wide", devices=2)
    world = LoadingWorld([A, B, wide], TWO)
    world.submit("a", run_s=60.0)
    world.submit("b", run_s=90.0)
    both = world.submit("wide", at_s=30.0, priority_class=PriorityClass.INTERACTIVE)

    world.run(400)

    loads = [change for change in world.changes if change.load == "wide"]
    assert [(len(change.members), change.cause) for change in loads] == [(1, "queue")]
    assert [change.cause for change in world.changes if not change.load] == ["gang"]
    assert world.fates[both].ended is not None


def test_nothing_runs_on_a_device_that_another_ones_instance_takes() -> None:
    wide = loading_model("wide", devices=2)
    world = LoadingWorld([A, wide], TWO)
    world.submit("wide", run_s=100.0)
    other = world.submit("a", at_s=30.0, priority_class=PriorityClass.INTERACTIVE)

    world.run(1_000)

    assert (world.fates[other].granted or 0.0) >= 120.0


def test_a_model_over_more_devices_than_there_are_is_never_loaded() -> None:
    world = LoadingWorld([loading_model("wide", devices=3)], TWO)
    world.submit("wide")

    world.run(1_000)

    assert not world.changes


@settings(max_examples=60, deadline=None)
@given(
    tasks=st.lists(
        st.tuples(
            st.sampled_from(["a", "b", "c", "wide"]),
            st.integers(0, 300),
            st.sampled_from([1.0, 8.0, 30.0]),
            st.sampled_from([None, 40.0, 200.0]),
            st.sampled_from(["acme", "zeta"]),
            st.sampled_from(list(PriorityClass)),
        ),
        min_size=1,
        max_size=25,
    ),
    modes=st.lists(
        st.sampled_from([DeviceMode.DEDICATED, DeviceMode.SHARED]), min_size=1, max_size=3
    ),
    slots=st.integers(1, 3),
    broken=st.booleans(),
    unload_s=st.sampled_from([0.0, 1.5, 40.0]),
)
def test_every_task_ends_whatever_comes_and_the_log_decides_the_same_again(
    tasks: list[tuple[str, int, float, float | None, str, PriorityClass]],
    modes: list[DeviceMode],
    slots: int,
    broken: bool,
    unload_s: float,
) -> None:
    devices = {f"gpu-{n}": mode for n, mode in enumerate(modes)}
    bad = frozenset({("gpu-0", "a")}) if broken and len(modes) > 1 else frozenset[tuple[str, str]]()
    wide = loading_model("wide", devices=2 if modes.count(DeviceMode.DEDICATED) > 1 else 1)
    models = [A, B, C, wide]
    world = LoadingWorld(models, devices, slots=slots, memory_mib=220.0, broken=bad)
    world.unload_s = {"a": unload_s, "wide": unload_s}
    for variant, at_s, run_s, deadline_in_s, tenant, priority_class in tasks:
        world.submit(
            variant,
            at_s=at_s,
            run_s=run_s,
            deadline_in_s=deadline_in_s,
            tenant=tenant,
            priority_class=priority_class,
        )

    world.run()

    assert all(fate.expired or fate.ended is not None for fate in world.fates.values())


def test_a_model_that_its_breaker_keeps_idle_gives_way_to_others_and_comes_back() -> None:
    world = LoadingWorld([A, B], DEDICATED)
    first = world.submit("a")
    world.run(60)
    opened = BreakerOpened(
        at=world.now, applied_to=0, device="gpu-0", variant="a", until=world.now + 60, reason="bad"
    )
    world.history.append(stream_id("breaker", "gpu-0/a"), opened)
    again, other = world.submit("a"), world.submit("b")

    world.run(1_000)

    assert [change.load for change in world.changes if change.load] == ["a", "b", "a"]
    granted = [world.fates[task].granted or 0.0 for task in (first, other, again)]
    assert granted == sorted(granted)
    assert granted[-1] >= opened.until - NOON
