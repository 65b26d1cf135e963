"""The choice for a free device is the one that the rules give when they are read literally."""

from math import ceil
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from pointsman.policy.class_choice import ClassChoice, Fleet, Rule, choose_class
from pointsman.policy.class_times import ClassTimes
from pointsman.policy.dedicated_device import DedicatedDevice, Run
from pointsman.policy.hold import Hold
from pointsman.policy.holder_wait import IDLE_PATIENCE, PATIENCE, patience_loads
from pointsman.policy.parameters import DEFAULTS, UNTOLD, Parameters
from pointsman.policy.queued_task import QueuedTask
from pointsman.policy.swap_credit import CAP_LOADS, SHARE
from pointsman.policy.waiting_classes import WaitingClasses

P50_S, P99_S = 10.0, 30.0
LOADS: Final = {"a": 5.0, "b": 10.0, "c": 20.0, "d": 45.0}
MEAN_LOAD_S: Final = sum(LOADS.values()) / len(LOADS)
FLEET: Final = Fleet(2, MEAN_LOAD_S, min(LOADS.values()), P99_S)
NAMES: Final = st.sampled_from(sorted(LOADS))


def task(number: int, class_id: str, *, key: float, deadline: float | None = None) -> QueuedTask:
    return QueuedTask(
        number=number, class_id=class_id, tenant="one", key=key, arrival=0.0, deadline=deadline
    )


class Scene:
    """Two devices, of which the first is free, and some tasks."""

    def __init__(self, tasks: list[QueuedTask], free: str | None, busy: str | None) -> None:
        self.tasks = tasks
        self.classes: WaitingClasses[QueuedTask] = WaitingClasses()
        for name, load_s in LOADS.items():
            times = ClassTimes(load_s=load_s, p50_s=P50_S, p99_s=P99_S)
            self.classes.register(name, times, (name,))
        self.free, self.busy = DedicatedDevice("free"), DedicatedDevice("busy")
        for waiting in sorted(tasks, key=lambda one: one.arrival):
            self.classes.put(waiting, waiting.arrival)
        self.since = {name: min(t.arrival for t in self.of(name)) for name in self.with_work()}
        for device, resident in ((self.free, free), (self.busy, busy)):
            device.residents = () if resident is None else (resident,)
            self.classes.take_notice(device, 0.0)
        self.busy_since(0.0)

    def busy_since(self, since: float) -> None:
        self.since_busy = since
        self.busy.runs[-1] = Run(task(-1, "a", key=0.0), since, P50_S)

    def of(self, name: str) -> list[QueuedTask]:
        return [one for one in self.tasks if one.class_id == name]

    def with_work(self) -> list[str]:
        return [name for name in LOADS if self.of(name)]

    def chosen(self, now: float, unload_s: float = 0.0, idle: int = 1) -> ClassChoice | Hold | None:
        return choose_class(self.free, self.classes, FLEET, now, unload_s=unload_s, idle=idle)


def read_literally(
    scene: Scene, now: float, credit_s: float, unload_s: float, idle: int
) -> tuple[str, str] | str | None:
    """Rule and class, the class that a hold is for, or None."""
    resident, other = scene.free.resident, scene.busy.resident
    keys = {name: min(one.key for one in scene.of(name)) for name in scene.with_work()}
    homeless = [name for name in keys if name not in (resident, other)]
    bound_s = ceil(max(1, len(homeless)) / 2) * (
        MEAN_LOAD_S * (1 - SHARE) / SHARE + MEAN_LOAD_S + P99_S
    )
    longest = min(homeless, key=lambda name: (scene.since[name], name), default=None)
    if longest is not None and now - scene.since[longest] > bound_s:
        return Rule.OVERDUE, longest
    candidates = list(homeless)
    if other in keys and other != resident:
        elapsed = now - scene.since_busy
        remaining = P50_S - elapsed if elapsed < P50_S else P99_S - elapsed
        wait_s = remaining + (len(scene.of(other)) - 1) * P50_S
        if elapsed >= P99_S or wait_s > max(PATIENCE / idle, IDLE_PATIENCE) * LOADS[other]:
            candidates.append(other)
    begin = {name: keys[name] - LOADS[name] - unload_s for name in candidates}
    late = min((n for n in candidates if begin[n] <= now), key=begin.__getitem__, default=None)
    if resident in keys and not (late is not None and credit_s >= unload_s + LOADS[late]):
        return Rule.RESIDENT, resident
    if late is not None:
        return Rule.LATE, late
    if candidates:

        def claim(name: str) -> float:
            oldest = min(scene.of(name), key=lambda one: one.key)
            holders = 1 if name == other else 0
            return len(scene.of(name)) * P50_S / (holders + 1) + now - oldest.arrival

        return Rule.BACKLOG, max(candidates, key=claim)
    return other if other in keys else None


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    # Keys and arrivals are all different, so that no two classes tie.
    count = draw(st.integers(0, 10))
    arrivals = draw(st.lists(st.integers(0, 999), min_size=count, max_size=count, unique=True))
    windows = draw(st.lists(st.integers(0, 300), min_size=count, max_size=count))
    tasks = [
        QueuedTask(
            number=number,
            class_id=draw(NAMES),
            tenant="one",
            key=arrival + window + number / 1024,
            arrival=float(arrival),
        )
        for number, (arrival, window) in enumerate(zip(arrivals, windows, strict=True))
    ]
    scene = Scene(tasks, draw(st.none() | NAMES), draw(st.none() | NAMES))
    scene.busy_since(1000.0 - draw(st.integers(0, 40)))
    return scene


@given(
    scene=scenes(),
    spent_loads=st.integers(0, int(2 * CAP_LOADS)),
    later_s=st.sampled_from((0.0, 50.0, 400.0, 3_000.0)),
    unload_s=st.sampled_from((0.0, 2.0, 60.0)),
    idle=st.sampled_from((1, 2, 5, 500)),
)
@settings(max_examples=300, deadline=None)
def test_the_choice_is_what_the_rules_say(
    scene: Scene, spent_loads: int, later_s: float, unload_s: float, idle: int
) -> None:
    now = 1000.0 + later_s
    scene.busy_since(scene.since_busy + later_s)
    scene.free.credit.spend(spent_loads * MEAN_LOAD_S, MEAN_LOAD_S)
    credit_s = (CAP_LOADS - spent_loads) * MEAN_LOAD_S

    chosen = scene.chosen(now, unload_s, idle)

    expected = read_literally(scene, now, credit_s, unload_s, idle)
    match chosen:
        case ClassChoice():
            assert (chosen.rule, chosen.class_id) == expected
            assert chosen.swaps is (chosen.class_id != scene.free.resident)
            assert chosen.backlog == len(scene.of(chosen.class_id))
            assert chosen.credit_s == pytest.approx(credit_s)
        case Hold():
            assert chosen.class_id == expected
        case None:
            assert expected is None


def test_a_device_stays_with_its_model_while_nobody_else_is_late() -> None:
    scene = Scene([task(1, "a", key=30.0), task(2, "b", key=25.0)], "a", None)

    chosen = scene.chosen(14.0)

    assert isinstance(chosen, ClassChoice)
    assert (chosen.class_id, chosen.rule) == ("a", Rule.RESIDENT)


def test_a_late_class_displaces_it_as_long_as_there_is_credit() -> None:
    scene = Scene([task(1, "a", key=30.0), task(2, "b", key=25.0)], "a", None)

    with_credit = scene.chosen(15.0)
    scene.free.credit.spend(1e9, MEAN_LOAD_S)
    without = scene.chosen(15.0)

    assert isinstance(with_credit, ClassChoice)
    assert (with_credit.class_id, with_credit.rule) == ("b", Rule.LATE)
    assert with_credit.begin_in_s == 0.0
    assert isinstance(without, ClassChoice)
    assert without.class_id == "a"


def test_credit_for_a_smaller_load_does_not_pay_for_a_larger_one() -> None:
    scene = Scene([task(1, "a", key=30.0), task(2, "d", key=25.0)], "a", None)
    scene.free.credit.spend(CAP_LOADS * MEAN_LOAD_S - LOADS["c"], MEAN_LOAD_S)

    chosen = scene.chosen(20.0)

    assert isinstance(chosen, ClassChoice)
    assert (chosen.class_id, chosen.credit_s) == ("a", LOADS["c"])


def test_credit_for_a_load_does_not_pay_for_the_unload_before_it() -> None:
    scene = Scene([task(1, "a", key=30.0), task(2, "b", key=25.0)], "a", None)
    scene.free.credit.spend(CAP_LOADS * MEAN_LOAD_S - LOADS["b"], MEAN_LOAD_S)

    without, with_unload = scene.chosen(15.0), scene.chosen(15.0, unload_s=1.0)

    assert isinstance(without, ClassChoice)
    assert isinstance(with_unload, ClassChoice)
    assert (without.class_id, with_unload.class_id) == ("b", "a")


def test_a_class_is_late_by_as_much_earlier_as_the_unload_takes() -> None:
    scene = Scene([task(1, "a", key=30.0), task(2, "b", key=25.0)], "a", None)

    chosen = scene.chosen(13.0, unload_s=2.0)

    assert isinstance(chosen, ClassChoice)
    assert (chosen.class_id, chosen.rule) == ("b", Rule.LATE)
    assert (chosen.begin_in_s, chosen.load_s, chosen.unload_s) == (0.0, 10.0, 2.0)


def test_a_device_is_held_back_for_a_class_that_its_holder_serves_soon() -> None:
    scene = Scene([task(1, "b", key=30.0)], "a", "b")

    held = scene.chosen(4.0)

    assert held == Hold("free", "b", since=4.0, until=10.0)


def test_the_more_devices_have_nothing_to_do_the_sooner_one_of_them_loads() -> None:
    scene = Scene([task(number, "b", key=30.0) for number in range(3)], "a", "b")

    few, many = scene.chosen(4.0, idle=1), scene.chosen(4.0, idle=3)

    assert isinstance(few, Hold)
    assert isinstance(many, ClassChoice)
    assert (many.class_id, many.swaps) == ("b", True)


def test_patience_falls_to_its_least_and_never_rises_above_its_most() -> None:
    assert [patience_loads(idle) for idle in (0, 1, 2, 10, 1_000)] == [5.0, 5.0, 2.5, 0.5, 0.5]
    assert patience_loads(1_000, least=1_000.0) == PATIENCE


def test_nothing_is_held_back_for_a_task_whose_deadline_does_not_wait() -> None:
    soon = task(1, "b", key=30.0, deadline=39.0)

    chosen = Scene([soon], "a", "b").chosen(4.0)

    assert isinstance(chosen, ClassChoice)
    assert (chosen.class_id, chosen.holders) == ("b", 1)


def test_nothing_is_held_back_for_a_holder_that_runs_longer_than_its_p99() -> None:
    chosen = Scene([task(1, "b", key=300.0)], "a", "b").chosen(P99_S + 1)

    assert isinstance(chosen, ClassChoice)
    assert chosen.class_id == "b"


def test_a_hold_that_has_ended_is_not_renewed_for_the_same_head() -> None:
    scene = Scene([task(1, "b", key=300.0)], "a", "b")
    scene.classes["b"].hold = Hold("free", "b", since=0.0, until=5.0)

    chosen = scene.chosen(5.0)

    assert isinstance(chosen, ClassChoice)
    assert chosen.class_id == "b"


@pytest.mark.parametrize("elapsed_s", [0.0, P99_S])
@pytest.mark.parametrize("closed", [(), ("b",)], ids=["barred here", "nothing of it starts"])
def test_a_device_is_kept_free_for_a_barred_class_while_somebody_is_expected_to_serve_it(
    elapsed_s: float, closed: tuple[str, ...]
) -> None:
    scene = Scene([task(1, "b", key=300.0)], None, "b")
    scene.busy_since(-elapsed_s)

    def chosen(parameters: Parameters) -> ClassChoice | Hold | None:
        fleet = Fleet(2, MEAN_LOAD_S, min(LOADS.values()), P99_S, parameters, closed)
        return choose_class(scene.free, scene.classes, fleet, 0.0, barred={"b"})

    expected = not closed and elapsed_s < P99_S
    assert chosen(DEFAULTS) == (
        Hold("free", "b", since=0.0, until=P50_S - elapsed_s) if expected else None
    )
    # As it was decided before that was asked.
    assert isinstance(chosen(UNTOLD), Hold)
    for_one_load = chosen(replace(DEFAULTS, unserved_patience_loads=1.0))
    assert isinstance(for_one_load, Hold)
    assert for_one_load.until <= LOADS["b"]


def test_a_barred_class_is_passed_over() -> None:
    scene = Scene([task(1, "a", key=30.0), task(2, "b", key=25.0)], None, "b")
    scene.busy_since(-100.0)

    chosen = choose_class(scene.free, scene.classes, FLEET, 40.0, barred={"b"})

    assert isinstance(chosen, ClassChoice)
    assert chosen.class_id == "a"
