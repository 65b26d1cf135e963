"""What each policy does with a few tasks that can be followed by hand."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.contracts.message import PriorityClass
from pointsman.policy.parameters import Parameters, ParametersError
from pointsman.time_machine.figures import figures_of
from pointsman.time_machine.policies import POLICIES, Fleet, parameters_of, simulate
from pointsman.time_machine.simulation import Outcome
from pointsman.time_machine.traces import TracedTask

every_policy = pytest.mark.parametrize("policy", list(POLICIES))


def trace(*tasks: tuple[float, str, float], load_s: float = 10.0) -> list[TracedTask]:
    """Tasks as (arrival, model, service)."""
    return [
        TracedTask(number=n, arrival_s=at, model=model, service_s=run_s, load_s=load_s)
        for n, (at, model, run_s) in enumerate(tasks)
    ]


def run(policy: str, devices: int, tasks: list[TracedTask]) -> Outcome:
    return simulate(tasks, policy=policy, fleet=Fleet(devices))


@every_policy
def test_a_wait_ends_when_the_run_begins_and_holds_the_load(policy: str) -> None:
    outcome = run(policy, 1, trace((5.0, "a", 3.0), (6.0, "a", 3.0)))

    assert outcome.waits_s == [10.0, 12.0]
    assert (outcome.swaps, outcome.load_s, outcome.service_s) == (1, 10.0, 6.0)
    assert outcome.makespan_s == 16.0


def test_fifo_takes_the_device_that_was_used_longest_ago_whatever_it_has() -> None:
    tasks = trace((0.0, "a", 1.0), (0.0, "b", 2.0), (50.0, "b", 1.0))

    plain, preferring = run("fifo", 2, tasks), run("fifo-affinity", 2, tasks)

    assert (plain.swaps, preferring.swaps) == (3, 2)


def test_greedy_affinity_lets_its_model_pass_and_fifo_does_not() -> None:
    tasks = trace((0.0, "a", 1.0), (1.0, "b", 1.0), (2.0, "a", 1.0))

    assert run("greedy-affinity", 1, tasks).waits_s == [10.0, 9.0, 21.0]
    assert run("fifo", 1, tasks).swaps == 3


def test_edf_takes_the_task_that_is_due_first() -> None:
    first, second, third = trace((0.0, "a", 5.0), (1.0, "a", 5.0), (2.0, "a", 5.0))
    urgent = TracedTask(
        number=2, arrival_s=2.0, model="a", service_s=5.0, load_s=10.0, deadline_s=21.0
    )

    plain = run("edf", 1, [first, second, third])
    hurried = run("edf", 1, [first, second, urgent])

    assert plain.waits_s == [10.0, 14.0, 18.0]
    assert hurried.waits_s == [10.0, 13.0, 19.0]


def test_our_policy_waits_for_the_device_that_has_the_model_rather_than_load_it_again() -> None:
    tasks = trace((0.0, "a", 20.0), (25.0, "a", 5.0), load_s=10.0)

    outcome = run("pointsman", 2, tasks)

    assert outcome.swaps == 1
    assert outcome.waits_s == [10.0, 5.0]


def test_our_policy_chooses_what_runs_when_the_load_has_ended() -> None:
    later = TracedTask(1, 5.0, "a", 2.0, priority_class=PriorityClass.INTERACTIVE, load_s=10.0)

    outcome = run("pointsman", 1, [*trace((0.0, "a", 3.0)), later])

    assert outcome.waits_s == [5.0, 12.0]


def test_our_policy_loads_a_model_again_where_many_devices_have_nothing_to_do() -> None:
    tasks = trace((0.0, "a", 20.0), (12.0, "a", 20.0), load_s=10.0)

    few, many = run("pointsman", 2, tasks), run("pointsman", 20, tasks)

    assert (few.swaps, few.waits_s) == (1, [10.0, 18.0])
    assert (many.swaps, many.waits_s) == (2, [10.0, 10.0])


def test_parameters_decide() -> None:
    tasks = trace((0.0, "a", 20.0), (25.0, "a", 5.0), load_s=10.0)
    impatient = Parameters(holder_patience_loads=0.0)

    outcome = simulate(tasks, policy="pointsman", fleet=Fleet(2), parameters=impatient)

    assert outcome.swaps == 2


def test_a_device_with_two_slots_runs_two_tasks_and_other_policies_say_that_they_cannot() -> None:
    tasks = trace((0.0, "a", 20.0), (0.0, "a", 20.0))

    outcome = simulate(tasks, policy="pointsman", fleet=Fleet(1, slots=2))

    assert outcome.waits_s == [10.0, 10.0]
    with pytest.raises(ParametersError, match="one slot"):
        simulate(tasks, policy="fifo", fleet=Fleet(1, slots=2))


def test_edf_is_not_told_how_long_a_waiting_task_will_run() -> None:
    def due(run_s: float, number: int) -> TracedTask:
        return TracedTask(number, 1.0, "a", run_s, load_s=10.0, deadline_s=60.0)

    first = trace((0.0, "a", 5.0))
    short, long = due(1.0, 1), due(50.0, 2)

    assert run("edf", 1, [*first, short, long]).waits_s == [10.0, 14.0, 15.0]


def test_our_policy_does_not_run_what_cannot_meet_its_deadline() -> None:
    hopeless = TracedTask(number=0, arrival_s=0.0, model="a", service_s=5.0, deadline_s=20.0)

    outcome = run("pointsman", 1, [hopeless])

    assert (outcome.expired, outcome.waits_s) == (1, [])
    figures = figures_of(outcome, policy="pointsman", parameters={}, slots=1)
    assert figures["within_300s"] == 0.0


@given(
    tasks=st.lists(
        st.tuples(st.floats(0, 500), st.sampled_from("abcde"), st.floats(0.1, 60)),
        min_size=1,
        max_size=40,
    ),
    devices=st.integers(1, 4),
)
@settings(max_examples=40, deadline=None)
@every_policy
def test_every_task_runs_once_and_no_device_does_two_things_at_once(
    policy: str, tasks: list[tuple[float, str, float]], devices: int
) -> None:
    ordered = trace(*sorted(tasks))

    outcome = run(policy, devices, ordered)

    assert len(outcome.waits_s) == len(tasks)
    assert outcome.service_s == pytest.approx(sum(run_s for _, _, run_s in tasks))
    assert min(outcome.waits_s) >= 0
    assert outcome.service_s + outcome.load_s <= devices * outcome.makespan_s + 1e-6
    assert outcome.swaps >= len({model for _, model, _ in tasks})


@pytest.mark.parametrize("policy", POLICIES)
def test_it_took_no_longer_than_whoever_ran_it_waited(policy: str) -> None:
    before = time.perf_counter()

    outcome = run(policy, 1, trace((5.0, "a", 3.0), (6.0, "b", 3.0)))

    assert 0 < outcome.wall_s <= time.perf_counter() - before


def test_the_figures_are_those_of_the_waits() -> None:
    outcome = Outcome(
        waits_s=[float(wait) for wait in range(1, 401)],
        tasks=400,
        swaps=100,
        service_s=800.0,
        load_s=50.0,
        makespan_s=1000.0,
        expired=0,
        wall_s=0.5,
    )

    figures = figures_of(
        outcome, policy="fifo", parameters=parameters_of("fifo", Fleet(2)), slots=2
    )

    assert figures == {
        "policy": "fifo",
        "parameters": {"devices": 2, "slots": 1},
        "tasks": 400,
        "mean_wait_s": 200.5,
        "p50_wait_s": 200.0,
        "p99_wait_s": 396.0,
        "max_wait_s": 400.0,
        "swaps_per_100": 25.0,
        "utilization": 0.4,
        "within_300s": 0.75,
        "decisions_per_s": 800.0,
    }


@every_policy
def test_a_device_holds_memory_from_its_first_load_on(policy: str) -> None:
    tasks = trace((0.0, "a", 5.0), (100.0, "b", 5.0), load_s=10.0)

    outcome = run(policy, 1, tasks)

    assert (outcome.makespan_s, outcome.held_s) == (115.0, 115.0)
