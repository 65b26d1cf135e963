"""What holds however tasks arrive and however long they run."""

from collections import defaultdict
from math import ceil, inf

import pytest
from hypothesis import given, settings

from pointsman.contracts.message import PriorityClass
from pointsman.policy.assigned import Assigned
from pointsman.policy.class_choice import Rule
from pointsman.policy.holder_wait import PATIENCE
from pointsman.policy.queued_task import QueuedTask
from pointsman.policy.swap_credit import CAP_LOADS, SHARE
from pointsman.policy.wait_bound import quantum_s
from tests.policy.dedicated_world import DEVICES, LOADS, P99_S, SLOTS, WORK, Asked, World

INTERACTIVE = PriorityClass.INTERACTIVE
MEAN_LOAD_S = sum(LOADS.values()) / len(LOADS)
SLACK_S = 1e-6

worlds = settings(max_examples=80, deadline=None)


@given(devices=DEVICES, work=WORK)
@worlds
def test_every_task_starts_once_or_expires_once(devices: int, work: list[Asked]) -> None:
    world = World(devices).run(work)

    ended = [begun.start.task.number for begun in world.begun]
    ended += [task.number for _, task in world.expired]
    assert sorted(ended) == list(range(len(work)))
    assert len(world.pool) == 0


@given(devices=DEVICES, work=WORK)
@worlds
def test_inside_a_tenant_and_a_class_the_first_due_starts_first(
    devices: int, work: list[Asked]
) -> None:
    world = World(devices).run(work)

    for begun in world.begun:
        task = begun.start.task
        rivals = [
            (other.key, other.number)
            for other in begun.waiting
            if (other.tenant, other.class_id) == (task.tenant, task.class_id)
        ]
        assert (task.key, task.number) == min(rivals)


@given(devices=DEVICES, slots=SLOTS, work=WORK)
@worlds
def test_a_device_has_one_model_and_changes_it_only_when_nothing_runs(
    devices: int, slots: int, work: list[Asked]
) -> None:
    world = World(devices, slots).run(work)

    for name in world.pool.devices:
        loads = [each for each in world.loads if each.load.devices == (name,)]
        runs = [begun for begun in world.begun if begun.start.device == name]
        ends = [*(each.at for each in loads[1:]), inf][: len(loads)]
        for each, until in zip(loads, ends, strict=True):
            during = [begun for begun in runs if each.at <= begun.at < until]
            for begun in during:
                assert begun.start.task.class_id == each.load.choice.class_id
                assert begun.at >= each.at + each.load_s
                assert begun.at + begun.run_s <= until
        assert not runs or min(begun.at for begun in runs) > loads[0].at


@given(devices=DEVICES, slots=SLOTS, work=WORK)
@worlds
def test_slots_are_used_once_and_a_load_serves_its_class_first(
    devices: int, slots: int, work: list[Asked]
) -> None:
    def check(world: World, now: float, assigned: Assigned) -> None:
        for name, device in world.pool.devices.items():
            running = [
                begun
                for begun in world.begun
                if begun.start.device == name and begun.at <= now < begun.at + begun.run_s
            ]
            assert len(running) <= slots
            assert len(device.runs) >= len(running)

    world = World(devices, slots, watch=check).run(work)

    for each in world.loads:
        ready_at = each.at + each.load_s
        gone = {task.number for at, task in world.expired if at <= ready_at}
        served = [
            begun
            for begun in world.begun
            if begun.start.device == each.load.devices[0] and begun.at >= ready_at
        ]
        if served and each.load.task.number not in gone:
            begins_elsewhere = [
                begun
                for begun in world.begun
                if begun.start.task is each.load.task and begun.at <= ready_at
            ]
            assert begins_elsewhere or served[0].start.task.class_id == each.load.choice.class_id


@given(devices=DEVICES, slots=SLOTS, work=WORK)
@worlds
def test_displacing_by_choice_takes_its_share_of_the_time_and_ten_loads(
    devices: int, slots: int, work: list[Asked]
) -> None:
    pays_for_displacing(World(devices, slots).run(work))


def test_classes_that_are_always_late_do_not_displace_each_other_all_the_time() -> None:
    work = [
        Asked(at=float(n), class_id="ab"[n % 2], run_s=1.0, priority_class=INTERACTIVE)
        for n in range(1_000)
    ]

    world = World(1).run(work)

    assert sum(each.displaced for each in world.loads) > 2 * CAP_LOADS
    pays_for_displacing(world)


def pays_for_displacing(world: World) -> None:
    """No device spends more on it than it has earned, and what it may owe and began with."""
    spent_s: defaultdict[str, float] = defaultdict(float)
    served_s: defaultdict[str, float] = defaultdict(float)
    for begun in world.begun:
        served_s[begun.start.device] += begun.run_s
    for each in world.loads:
        if each.displaced and each.load.choice.rule is not Rule.OVERDUE:
            spent_s[each.load.devices[0]] += each.load_s
    for name, seconds in spent_s.items():
        allowed = SHARE / (1 - SHARE) * served_s[name] + 2 * CAP_LOADS * MEAN_LOAD_S
        assert seconds <= allowed + SLACK_S


@given(devices=DEVICES, slots=SLOTS, work=WORK)
@worlds
def test_a_slot_is_free_beside_work_only_under_a_hold_or_a_drain_that_ends(
    devices: int, slots: int, work: list[Asked]
) -> None:
    def check(world: World, now: float, assigned: Assigned) -> None:
        free = [device for device in world.pool.devices.values() if device.free]
        if world.waiting and free:
            held = {hold.device for hold in assigned.holds}
            coming = {drain.choice.class_id for drain in world.drains if drain.since == now}
            assert held or coming or all(device.runs for device in free)
        for hold in assigned.holds:
            assert world.pool.devices[hold.device].free
            assert hold.since == now < hold.until
            assert hold.until - hold.since <= PATIENCE * LOADS[str(hold.class_id)] + SLACK_S

    World(devices, slots, watch=check).run(work)


@given(devices=DEVICES, work=WORK)
@worlds
def test_a_class_that_waits_gets_a_device_within_twice_the_bound(
    devices: int, work: list[Asked]
) -> None:
    load_s = max(LOADS.values())
    bound_s = ceil(len(LOADS) / devices) * (quantum_s(load_s) + load_s + P99_S)

    world = World(devices).run(work)

    assert all(each.load.choice.waited_s + each.load_s <= 2 * bound_s for each in world.loads)


@given(devices=DEVICES, work=WORK)
@worlds
def test_nothing_starts_whose_median_run_cannot_meet_its_deadline(
    devices: int, work: list[Asked]
) -> None:
    runs: dict[float, dict[str, float]] = {}

    def note(world: World, now: float, _: Assigned) -> None:
        runs[now] = {name: world.pool.classes[name].times.runs.p50_s for name in LOADS}

    world = World(devices, watch=note).run(work)

    for begun in world.begun:
        task = begun.start.task
        if task.deadline is not None:
            assert begun.at + runs[begun.at][task.class_id] <= task.deadline + SLACK_S


def test_a_class_is_not_starved_by_another_that_always_has_work() -> None:
    load_s = LOADS["d"]
    # More work for one class than a device can do, and one task of another behind it.
    work = [Asked(at=7.0 * number, class_id="a", run_s=10.0) for number in range(2_000)]
    rare = Asked(at=100.0, class_id="d", run_s=10.0)

    world = World(1).run([*work, rare])

    (begun,) = [begun for begun in world.begun if begun.start.task.class_id == "d"]
    assert begun.at - rare.at <= 2 * (quantum_s(load_s) + load_s + P99_S)


@pytest.mark.parametrize("devices", [1, 2, 3])
def test_more_classes_than_devices_take_turns_within_the_bound_for_ever(devices: int) -> None:
    # Every class has more work than all devices together can do.
    work = [
        Asked(at=float(number), class_id=name, run_s=P99_S)
        for number in range(300)
        for name in LOADS
    ]
    load_s = max(LOADS.values())
    bound_s = ceil(len(LOADS) / devices) * (quantum_s(load_s) + load_s + P99_S)

    world = World(devices).run(work)

    assert max(each.load.choice.waited_s + each.load_s for each in world.loads) <= 2 * bound_s
    assert any(each.load.choice.rule is Rule.OVERDUE for each in world.loads)


def served(world: World, *, until: float) -> dict[str, float]:
    """Device-seconds by tenant, loads included, of what began before a time."""
    seconds: defaultdict[str, float] = defaultdict(float)
    for begun in world.begun:
        if begun.at < until:
            seconds[begun.start.task.tenant] += begun.run_s
    for each in world.loads:
        if each.at < until:
            seconds[each.load.task.tenant] += each.load_s
    return seconds


def test_ten_times_the_arrivals_are_not_ten_times_the_device_seconds() -> None:
    # Both always have work, in one class.
    greedy = [Asked(at=0.1 * n, class_id="a", run_s=5.0, tenant="greedy") for n in range(2_000)]
    modest = [Asked(at=1.0 * n, class_id="a", run_s=5.0, tenant="modest") for n in range(200)]

    seconds = served(World(1).run([*greedy, *modest]), until=900.0)

    gap_s = max(60.0, P99_S)
    assert abs(seconds["greedy"] - seconds["modest"]) <= 2 * P99_S + gap_s


def test_across_classes_tenants_differ_by_no_more_than_what_swaps_take() -> None:
    devices, load_s = 2, max(LOADS.values())
    work = [
        Asked(at=0.5 * number, class_id=name, run_s=10.0, tenant=tenant)
        for number in range(1_000)
        for name, tenant in (("a", "one"), ("b", "two"), ("c", "one"), ("d", "two"))
    ]

    seconds = served(World(devices).run(work), until=8_000.0)

    allowed = 2 * devices * (quantum_s(load_s) + load_s + P99_S)
    assert abs(seconds["one"] - seconds["two"]) <= allowed


def test_a_tenant_of_twice_the_weight_gets_twice_the_device_seconds() -> None:
    work = [
        Asked(at=0.1 * number, class_id="a", run_s=5.0, tenant=tenant)
        for number in range(1_000)
        for tenant in ("double", "single")
    ]
    world = World(1)
    world.pool.counters.weigh("double", 2.0)

    seconds = served(world.run(work), until=2_000.0)

    assert seconds["double"] == pytest.approx(2 * seconds["single"], abs=2 * (2 * P99_S + 60.0))


def waiting_task(number: int, key: float) -> QueuedTask:
    return QueuedTask(number=number, class_id="a", tenant="one", key=key, arrival=0.0)


def test_a_task_that_is_moved_keeps_its_class_waiting_since_before() -> None:
    pool = World(1).pool
    pool.enqueue(waiting_task(1, 30.0), 0.0)

    moved = pool.rekey(waiting_task(1, 5.0), 7.0)

    assert moved
    assert pool.classes.waiting_since("a") == 0.0
    (load,) = pool.assign(8.0).loads
    assert load.task.key == 5.0


def test_a_cancelled_task_is_gone_and_cannot_be_moved() -> None:
    pool = World(1).pool
    pool.enqueue(waiting_task(1, 30.0), 0.0)

    cancelled = pool.cancel(1, 1.0)

    assert cancelled is not None
    assert pool.cancel(1, 2.0) is None
    assert not pool.rekey(waiting_task(1, 5.0), 2.0)
    assert pool.classes.waiting_since("a") is None
    assert pool.assign(3.0).starts == []
