"""Nothing is loaded where it does not fit, and whatever fits somewhere runs."""

from typing import Final

from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.policy.dedicated_pool import DedicatedPool
from pointsman.policy.device_fit import Instance
from pointsman.policy.queued_task import QueuedTask
from tests.policy.dedicated_world import LOADS, SLOTS, WORK, Asked, World
from tests.policy.test_gangs import patient

SIZES: Final = (24.0, 48.0, 80.0)
MEMORY: Final = st.lists(st.sampled_from(SIZES), min_size=2, max_size=5)
PART_MIB: Final = st.dictionaries(
    st.sampled_from(sorted(LOADS)), st.sampled_from((8.0, 40.0, 70.0))
)
PARTS: Final = st.dictionaries(st.sampled_from(sorted(LOADS)), st.just(2), max_size=2)

worlds = settings(max_examples=80, deadline=None)


def starts(world: World) -> list[tuple[float, str, int]]:
    return [(begun.at, begun.start.device, begun.start.task.number) for begun in world.begun]


@given(memory_mib=MEMORY, slots=SLOTS, parts=PARTS, part_mib=PART_MIB, work=WORK)
@worlds
def test_models_are_loaded_where_they_fit_and_every_task_of_those_runs(
    memory_mib: list[float],
    slots: int,
    parts: dict[str, int],
    part_mib: dict[str, float],
    work: list[Asked],
) -> None:
    world = World(len(memory_mib), slots, parts, part_mib=part_mib, memory_mib=memory_mib).run(
        patient(work)
    )

    for loaded in world.loads:
        needed = part_mib.get(str(loaded.load.choice.class_id), 0.0)
        assert all(world.device(name).memory_mib >= needed for name in loaded.load.devices)
    able = {
        name
        for name in LOADS
        if sum(mib >= part_mib.get(name, 0.0) for mib in memory_mib) >= parts.get(name, 1)
    }
    ran = sorted(begun.start.task.number for begun in world.begun)
    assert ran == [number for number, one in world.asked.items() if one.class_id in able]
    assert len(world.pool) == len(work) - len(ran)


@given(memory_mib=st.sampled_from(SIZES), slots=SLOTS, part_mib=PART_MIB, work=WORK)
@worlds
def test_among_equal_devices_memory_that_suffices_decides_nothing(
    memory_mib: float, slots: int, part_mib: dict[str, float], work: list[Asked]
) -> None:
    fits = {name: min(mib, memory_mib) for name, mib in part_mib.items()}

    sized = World(3, slots, part_mib=fits, memory_mib=[memory_mib] * 3).run(work)

    assert starts(sized) == starts(World(3, slots).run(work))


def test_of_idle_devices_the_one_that_a_model_fills_best_takes_it() -> None:
    pool = DedicatedPool()
    for name, mib in (("large", 80.0), ("small", 24.0), ("medium", 48.0)):
        pool.attach(name, memory_mib=mib)
    pool.register("a", load_s=10.0, p50_s=10.0, p99_s=30.0, takes=Instance(part_mib=30.0))

    pool.enqueue(QueuedTask(1, "a", "one", key=30.0, arrival=0.0, deadline=None), 0.0)
    (load,) = pool.assign(0.0).loads

    assert load.devices == ("medium",)
