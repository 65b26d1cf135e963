"""The made-up workload is what it says, and the same for everybody."""

import math
from collections import Counter
from itertools import pairwise
from statistics import mean, median, pstdev
from typing import Final

import pytest

from pointsman.time_machine.comparison import COMPARED, SIMULATED, compare
from pointsman.time_machine.core_bench import bench_core
from pointsman.time_machine.policies import Fleet, simulate
from pointsman.time_machine.workload import (
    Workload,
    busy_share,
    faster,
    generate,
    zipf_weights,
)

SMALL: Final = Workload(tasks=4_000)


def test_five_of_87_models_take_seventy_percent() -> None:
    weights = zipf_weights(87, 5, 0.7)

    assert sum(weights[:5]) / sum(weights) == pytest.approx(0.7)
    assert weights == sorted(weights, reverse=True)


def test_the_same_seed_gives_the_same_tasks_and_another_gives_others() -> None:
    few = Workload(tasks=200)

    assert generate(few) == generate(few)
    assert generate(few) != generate(Workload(tasks=200, seed=2))


def test_runs_loads_and_gaps_are_distributed_as_is_said() -> None:
    tasks = generate(SMALL)

    runs = sorted(task.service_s for task in tasks)
    loads = {task.model: task.load_s for task in tasks}
    gaps = [after.arrival_s - before.arrival_s for before, after in pairwise(tasks)]
    top = Counter(task.model for task in tasks).most_common(5)
    assert median(runs) == pytest.approx(23, rel=0.05)
    assert runs[int(0.99 * len(runs))] == pytest.approx(106, rel=0.15)
    assert median(loads.values()) == pytest.approx(22.7, rel=0.2)
    assert all(task.load_s == loads[task.model] for task in tasks)
    assert pstdev(gaps) / mean(gaps) == pytest.approx(3, rel=0.15)
    assert sum(count for _, count in top) / len(tasks) == pytest.approx(0.7, abs=0.03)


def test_a_plain_queue_is_busy_nine_tenths_of_the_time() -> None:
    outcome = simulate(generate(SMALL), policy="fifo", fleet=Fleet(4))

    assert busy_share(outcome, 4) == pytest.approx(0.9, abs=0.005)


def test_twice_as_fast_is_the_same_in_half_the_time() -> None:
    tasks = generate(Workload(tasks=100))

    twice = faster(tasks, 2.0)

    assert twice[-1].arrival_s == tasks[-1].arrival_s / 2
    assert [task.service_s for task in twice] == [task.service_s for task in tasks]


def test_our_policy_is_compared_with_a_plain_queue_seed_by_seed() -> None:
    report = compare(Workload(tasks=1_000), seeds=(1, 2), loads=(1.0, 4.0))

    assert report["simulated"] == SIMULATED
    assert [factor["load"] for factor in report["factors"]] == [1.0, 4.0]
    for factor in report["factors"]:
        assert factor["memory"]["all_models"] == 87
        assert 0 < factor["memory"]["held_models"] <= 4
        assert [row["seed"] for row in factor["seeds"]] == [1, 2]
        for name in COMPARED:
            ratios = [row[name] for row in factor["seeds"]]
            assert factor["worst"][name] == max(ratios)
            assert factor["median"][name] == pytest.approx(median(ratios), abs=1e-4)
            assert all(0 < ratio < 1 for ratio in ratios), "worse than a plain queue"


def test_the_speed_of_the_policy_is_measured() -> None:
    figures = bench_core(queued=500, steps=500)

    assert set(figures) == {
        "steps_per_s",
        "p99_us",
        "max_pause_ms",
        "heapq_steps_per_s",
        "naive_resort_steps_per_s",
    }
    measured = [float(str(figure)) for figure in figures.values()]
    assert all(math.isfinite(figure) and figure > 0 for figure in measured)
