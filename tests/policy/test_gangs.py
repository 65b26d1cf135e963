"""Models that take several devices, and devices that run several tasks: all or none, no lock."""

from itertools import combinations
from typing import Final

from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.policy.assigned import Assigned
from pointsman.policy.dedicated_pool import DedicatedPool
from pointsman.policy.device_fit import Instance
from pointsman.policy.queued_task import QueuedTask
from tests.policy.dedicated_world import LOADS, P99_S, SLOTS, WORK, Asked, World

worlds = settings(max_examples=60, deadline=None)
PARTS: Final = st.dictionaries(st.sampled_from(sorted(LOADS)), st.integers(2, 3), max_size=3)


def patient(work: list[Asked]) -> list[Asked]:
    """The same without deadlines, so that nothing may be left out."""
    return [
        Asked(one.at, one.class_id, one.run_s, one.tenant, None, one.priority_class) for one in work
    ]


@given(devices=st.integers(3, 5), slots=SLOTS, parts=PARTS, work=WORK)
@worlds
def test_every_task_of_every_size_runs(
    devices: int, slots: int, parts: dict[str, int], work: list[Asked]
) -> None:
    world = World(devices, slots, parts).run(patient(work))

    assert sorted(begun.start.task.number for begun in world.begun) == list(range(len(work)))
    assert len(world.pool) == 0


@given(devices=st.integers(3, 5), slots=SLOTS, parts=PARTS, work=WORK)
@worlds
def test_a_model_over_several_devices_has_them_for_itself(
    devices: int, slots: int, parts: dict[str, int], work: list[Asked]
) -> None:
    def check(world: World, now: float, assigned: Assigned) -> None:
        led = [d for d in world.pool.devices.values() if d.residents]
        for head in led:
            assert 1 + len(head.followers) == parts.get(str(head.resident), 1)
            assert all(not each.residents and not each.runs for each in head.followers)
            assert all(not each.free for each in head.followers)
        groups = [{head.name, *(each.name for each in head.followers)} for head in led]
        assert all(one.isdisjoint(other) for one, other in combinations(groups, 2))

    World(devices, slots, parts, watch=check).run(work)


@given(devices=st.integers(3, 5), slots=SLOTS, parts=PARTS, work=WORK)
@worlds
def test_devices_are_kept_for_a_class_no_longer_than_one_run_or_load(
    devices: int, slots: int, parts: dict[str, int], work: list[Asked]
) -> None:
    world = World(devices, slots, parts).run(work)

    decided = [(each.load.choice.class_id, each.at) for each in world.loads]
    emptied = [(begun.start.task.class_id, begun.at) for begun in world.begun]
    emptied += [(task.class_id, at) for at, task in world.expired]
    for drain in world.drains:
        class_id, since = drain.choice.class_id, drain.since
        ends = [at for name, at in (*decided, *emptied) if name == class_id and at >= since]
        assert ends
        assert min(ends) - since <= max(P99_S, *LOADS.values())


def test_a_class_that_takes_more_devices_than_there_are_waits_and_harms_nobody() -> None:
    work = [Asked(at=0.0, class_id="a", run_s=5.0), Asked(at=1.0, class_id="b", run_s=5.0)]

    world = World(2, 1, {"a": 3}).run(work)

    assert [begun.start.task.class_id for begun in world.begun] == ["b"]
    assert len(world.pool) == 1


def test_a_device_with_slots_takes_nothing_more_while_it_drains() -> None:
    pool = DedicatedPool()
    pool.attach("one", slots=2)
    for name in ("a", "b"):
        pool.register(name, load_s=10.0, p50_s=10.0, p99_s=30.0)
    pool.enqueue(task(1, "a", key=30.0), 0.0)
    pool.assign(0.0)
    pool.loaded("one", 10.0, 10.0)
    pool.assign(10.0)
    pool.enqueue(task(2, "b", key=12.0), 11.0)

    (drain,) = pool.assign(11.0).drains
    pool.enqueue(task(3, "a", key=41.0), 12.0)
    meanwhile = pool.assign(12.0)
    pool.ended("one", 1, 10.0, 20.0)
    (load,) = pool.assign(20.0).loads

    assert (drain.devices, drain.choice.class_id) == (("one",), "b")
    assert not meanwhile.starts
    assert not meanwhile.loads
    assert load.choice.class_id == "b"


def test_a_drain_is_given_up_when_nobody_waits_for_it_any_more() -> None:
    pool = DedicatedPool()
    pool.attach("one", slots=2)
    for name in ("a", "b"):
        pool.register(name, load_s=10.0, p50_s=10.0, p99_s=30.0)
    pool.enqueue(task(1, "a", key=30.0), 0.0)
    pool.assign(0.0)
    pool.loaded("one", 10.0, 10.0)
    pool.assign(10.0)
    pool.enqueue(task(2, "b", key=12.0), 11.0)
    pool.assign(11.0)

    pool.cancel(2, 12.0)
    pool.enqueue(task(3, "a", key=41.0), 12.0)

    assert [start.task.number for start in pool.assign(12.0).starts] == [3]


def test_a_lost_member_takes_the_model_with_it_and_its_task_may_run_again() -> None:
    pool = DedicatedPool()
    for name in ("one", "two", "three"):
        pool.attach(name)
    pool.register("a", load_s=10.0, p50_s=10.0, p99_s=30.0, takes=Instance(2))
    pool.enqueue(task(1, "a", key=30.0), 0.0)
    (load,) = pool.assign(0.0).loads
    pool.loaded(load.devices[0], 10.0, 10.0)
    pool.assign(10.0)

    (again,) = pool.detach(load.devices[1], 15.0)
    pool.enqueue(again, 15.0)
    (second,) = pool.assign(15.0).loads

    assert len(second.devices) == 2
    assert load.devices[1] not in second.devices


def test_a_device_that_does_not_serve_is_not_waited_for() -> None:
    pool = DedicatedPool()
    for name in ("one", "two"):
        pool.attach(name)
    pool.register("a", load_s=10.0, p50_s=10.0, p99_s=30.0)
    pool.enqueue(task(1, "a", key=1.0), 0.0)
    (load,) = pool.assign(0.0).loads
    pool.loaded(load.devices[0], 10.0, 10.0)
    pool.assign(10.0)

    pool.serve(load.devices[0], serves=False)
    pool.enqueue(task(2, "a", key=1.0), 11.0)
    (other,) = pool.assign(11.0).loads

    assert other.devices != load.devices


def task(number: int, class_id: str, *, key: float) -> QueuedTask:
    return QueuedTask(number=number, class_id=class_id, tenant="one", key=key, arrival=0.0)
