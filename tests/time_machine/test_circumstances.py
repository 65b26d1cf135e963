"""What operators and the fleet did is repeated at its time, under every policy."""

from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.time_machine.circumstances import (
    Circumstance,
    DeviceState,
    DeviceTurns,
    ModelLimited,
    PoolStops,
    TaskKept,
    TenantLimited,
)
from pointsman.time_machine.known_runs import Expected
from pointsman.time_machine.policies import POLICIES, Fleet, simulate
from pointsman.time_machine.traces import TracedTask

every_policy = pytest.mark.parametrize("policy", list(POLICIES))


def trace(*arrivals: float, model: str = "a", run_s: float = 3.0) -> list[TracedTask]:
    return [TracedTask(n, at, model, run_s, load_s=2.0) for n, at in enumerate(arrivals)]


def begun(
    policy: str, tasks: list[TracedTask], *circumstances: Circumstance, devices: int = 1
) -> dict[int, float]:
    """When each task began first."""
    outcome = simulate(
        tasks, policy=policy, fleet=Fleet(devices), circumstances=list(circumstances)
    )
    assert not circumstances or len(outcome.waits_s) == len(outcome.begun_s)
    return outcome.begun_s


def turn(at: float, state: DeviceState, device: int = 0) -> DeviceTurns:
    return DeviceTurns(at, device, state)


@every_policy
def test_without_circumstances_nothing_is_told_of_single_tasks(policy: str) -> None:
    assert begun(policy, trace(0.0)) == {}


@every_policy
def test_a_device_that_refuses_ends_what_runs_and_takes_nothing(policy: str) -> None:
    refuses, serves = turn(3.0, DeviceState.REFUSES), turn(20.0, DeviceState.SERVES)

    assert begun(policy, trace(0.0, 1.0), refuses, serves) == {0: 2.0, 1: 20.0}


@every_policy
def test_what_a_lost_device_ran_begins_again_where_the_model_has_to_be_loaded(policy: str) -> None:
    tasks = trace(0.0, 4.0)
    gone, back = turn(3.0, DeviceState.GONE), turn(10.0, DeviceState.SERVES)

    outcome = simulate(tasks, policy=policy, fleet=Fleet(1), circumstances=[gone, back])

    # The first run of the first task was for nothing; what it waited is told of that.
    assert outcome.begun_s == {0: 2.0, 1: 15.0}
    assert (outcome.swaps, outcome.makespan_s) == (2, 18.0)


@every_policy
def test_a_silent_device_is_given_work_that_does_not_end(policy: str) -> None:
    tasks = trace(0.0, 4.0, 11.0)
    silent, gone = turn(3.0, DeviceState.SILENT), turn(10.0, DeviceState.GONE)

    outcome = simulate(
        tasks,
        policy=policy,
        fleet=Fleet(1),
        circumstances=[silent, gone, turn(10.0, DeviceState.SERVES)],
    )

    assert outcome.begun_s == {0: 2.0, 1: 15.0, 2: 18.0}


@every_policy
def test_a_paused_model_begins_nothing_and_others_do(policy: str) -> None:
    first, second, third = trace(0.0, 1.0, 2.0)
    second = msgspec.structs.replace(second, model="b")
    paused, resumed = ModelLimited(-5.0, "a", 0), ModelLimited(30.0, "a", None)

    assert begun(policy, [first, second, third], paused, resumed) == {1: 3.0, 0: 32.0, 2: 35.0}


@every_policy
def test_no_more_of_a_model_run_than_may(policy: str) -> None:
    limited = ModelLimited(-5.0, "a", 1)

    found = begun(policy, trace(0.0, 0.0), limited, devices=2)

    assert found[0] == 2.0
    assert found[1] >= 5.0


@every_policy
def test_no_more_of_a_tenant_run_than_may(policy: str) -> None:
    first, second, third = trace(0.0, 0.5, 1.0)
    third = msgspec.structs.replace(third, tenant="acme")
    limited, free = TenantLimited(-5.0, "default", 0, 1.0), TenantLimited(40.0, "default", 1, 1.0)

    found = begun(policy, [first, second, third], limited, free, devices=2)

    assert found[2] == 3.0
    assert min(found[0], found[1]) >= 40.0
    assert abs(found[0] - found[1]) >= 3.0


@every_policy
@pytest.mark.parametrize("held_at", [-1.0, 1.0])
def test_a_held_task_begins_when_it_is_released_in_its_place(policy: str, held_at: float) -> None:
    tasks = trace(0.0, 0.5, 0.7)
    held, released = TaskKept(held_at, 1, held=True), TaskKept(6.0, 1, held=False)

    assert begun(policy, tasks, held, released) == {0: 2.0, 2: 5.0, 1: 8.0}


@every_policy
def test_nothing_begins_while_anything_stops_the_pool(policy: str) -> None:
    found = begun(
        policy,
        trace(0.0),
        PoolStops(-1.0, "it is paused", stops=True),
        PoolStops(3.0, "nobody leads it", stops=True),
        PoolStops(5.0, "it is paused", stops=False),
        PoolStops(9.0, "nobody leads it", stops=False),
    )

    assert found == {0: 11.0}


@every_policy
def test_the_simulation_ends_although_something_may_never_begin(policy: str) -> None:
    first, second = trace(0.0, 1.0)
    other = msgspec.structs.replace(second, model="b")
    limited = ModelLimited(4.0, "b", 0)

    assert set(begun(policy, [first, other], limited, devices=1)) == {0}


def test_a_tenant_with_more_weight_comes_sooner() -> None:
    tasks = [
        msgspec.structs.replace(task, tenant="heavy" if task.number % 2 else "light")
        for task in trace(*[0.0] * 20)
    ]

    found = begun("pointsman", tasks, TenantLimited(-1.0, "heavy", None, 4.0))

    heavy = [at for number, at in found.items() if number % 2]
    light = [at for number, at in found.items() if not number % 2]
    assert sum(heavy) < sum(light)


def test_our_policy_decides_on_the_load_time_that_was_told_and_takes_the_real_one() -> None:
    tasks = trace(0.0, 0.0)
    told = {"a": Expected(p50_s=3.0, p99_s=3.0, load_s=0.1, slots=1)}

    outcome = simulate(tasks, policy="pointsman", fleet=Fleet(1, slots=4), expected=told)

    # One after the other: a copy of the model serves one task at a time.
    assert outcome.waits_s == [2.0, 5.0]


DEVICES = 3
_turns = st.builds(
    DeviceTurns, st.floats(0, 200), st.integers(0, DEVICES - 1), st.sampled_from(DeviceState)
)
_limits = st.builds(
    ModelLimited, st.floats(0, 200), st.sampled_from("ab"), st.none() | st.integers(0, 2)
)
_stops = st.builds(PoolStops, st.floats(0, 200), st.just("why not"), stops=st.booleans())
_holds = st.builds(TaskKept, st.floats(0, 200), st.integers(0, 9), st.booleans())


def healed(circumstances: Sequence[Circumstance]) -> list[Circumstance]:
    """In the order of time, and all is well in the end."""
    end = 300.0
    return [
        *sorted(circumstances, key=lambda each: each.at),
        *(turn(end, DeviceState.GONE, device) for device in range(DEVICES)),
        *(turn(end, DeviceState.SERVES, device) for device in range(DEVICES)),
        *(ModelLimited(end, model, None) for model in "ab"),
        *(TaskKept(end, number, held=False) for number in range(10)),
        PoolStops(end, "why not", stops=False),
    ]


@given(
    arrivals=st.lists(
        st.tuples(st.floats(0, 200), st.sampled_from("ab")), min_size=10, max_size=20
    ),
    circumstances=st.lists(_turns | _limits | _stops | _holds, max_size=12),
)
@settings(max_examples=40, deadline=None)
@every_policy
def test_every_task_begins_whatever_came_between(
    policy: str, arrivals: list[tuple[float, str]], circumstances: list[Circumstance]
) -> None:
    tasks = [
        TracedTask(n, at, model, 3.0, load_s=2.0) for n, (at, model) in enumerate(sorted(arrivals))
    ]

    found = begun(policy, tasks, *healed(circumstances), devices=DEVICES)

    assert set(found) == {task.number for task in tasks}
    assert all(at >= tasks[number].arrival_s for number, at in found.items())
