"""No policy waits less than the bound: compared with every order on every device."""

from itertools import permutations, product
from math import ceil
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pointsman.time_machine.bound import mean_wait_bound_s, quantile_wait_bound_s, wait_bounds
from pointsman.time_machine.policies import POLICIES, Fleet, simulate
from pointsman.time_machine.traces import TracedTask
from pointsman.time_machine.workload import Workload, generate

LOADS: Final = {"a": 4.0, "b": 7.0, "c": 1.0}
SLACK_S: Final = 1e-6

TASKS: Final = st.lists(
    st.tuples(st.integers(0, 20), st.sampled_from(sorted(LOADS)), st.integers(1, 12)),
    min_size=1,
    max_size=5,
).map(
    lambda rows: [
        TracedTask(n, float(at), model, float(run_s), load_s=LOADS[model])
        for n, (at, model, run_s) in enumerate(sorted(rows))
    ]
)


def waits_of(order: tuple[TracedTask, ...], chosen: tuple[int, ...]) -> list[float]:
    """Waits where tasks begin in this order on these devices, as early as can be.

    A model is loaded before its task arrives if its device has nothing else to do.
    """
    free_at = [float("-inf")] * (max(chosen) + 1)
    resident: list[str | None] = [None] * (max(chosen) + 1)
    waits: list[float] = []
    for task, device in zip(order, chosen, strict=True):
        load_s = 0.0 if resident[device] == task.model else task.load_s
        starts = max(task.arrival_s, free_at[device] + load_s)
        resident[device], free_at[device] = task.model, starts + task.service_s
        waits.append(starts - task.arrival_s)
    return sorted(waits)


def every_schedule(tasks: list[TracedTask], devices: int) -> list[list[float]]:
    return [
        waits_of(order, chosen)
        for order in permutations(tasks)
        for chosen in product(range(devices), repeat=len(tasks))
    ]


@given(tasks=TASKS, devices=st.integers(1, 2))
@settings(max_examples=40, deadline=None)
def test_no_schedule_of_a_few_tasks_is_better_than_the_bounds(
    tasks: list[TracedTask], devices: int
) -> None:
    schedules = every_schedule(tasks, devices)

    mean_s = mean_wait_bound_s(tasks, devices)
    assert mean_s <= min(sum(waits) for waits in schedules) / len(tasks) + SLACK_S
    for share in (0.5, 0.99, 1.0):
        bound_s = quantile_wait_bound_s(tasks, devices, share)
        place = ceil(share * len(tasks)) - 1
        assert bound_s <= min(waits[place] for waits in schedules) + SLACK_S


def test_on_one_device_with_one_model_the_bounds_are_reached() -> None:
    tasks = [TracedTask(n, 0.0, "a", 10.0, load_s=0.0) for n in range(5)]

    best = min(every_schedule(tasks, 1))

    assert mean_wait_bound_s(tasks, 1) == pytest.approx(sum(best) / 5)
    assert quantile_wait_bound_s(tasks, 1, 1.0) == pytest.approx(best[-1])


def test_loads_that_cannot_be_avoided_count() -> None:
    tasks = [TracedTask(n, 0.0, f"model-{n}", 1.0, load_s=100.0) for n in range(6)]

    assert quantile_wait_bound_s(tasks, 1, 1.0) >= 500.0
    assert quantile_wait_bound_s(tasks, 2, 1.0) >= 200.0


@pytest.mark.parametrize("policy", POLICIES)
def test_every_policy_stays_above_the_bounds(policy: str) -> None:
    tasks = generate(Workload(tasks=2_000))

    waits = sorted(simulate(tasks, policy=policy, fleet=Fleet(4)).waits_s)

    bounds = wait_bounds(tasks, 4)
    assert 0 < bounds["mean_wait_s"] <= sum(waits) / len(waits)
    assert 0 < bounds["p99_wait_s"] <= waits[ceil(0.99 * len(waits)) - 1]
    assert 0 < bounds["max_wait_s"] <= waits[-1]
