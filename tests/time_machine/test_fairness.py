"""Ten times the arrivals are not ten times the devices."""

import pytest

from pointsman.time_machine.fairness import measure_fairness


@pytest.mark.parametrize("devices", [1, 4])
@pytest.mark.parametrize("seed", [1, 2])
def test_a_light_tenant_has_its_share_and_its_latency(devices: int, seed: int) -> None:
    figures = measure_fairness(seed=seed, light_tasks=400, devices=devices)

    backlogged, light = figures["backlogged"], figures["light"]
    assert backlogged["light_s"] > 0.8 * backlogged["heavy_s"] > 0
    assert backlogged["largest_difference_s"] <= backlogged["allowed_difference_s"]
    assert 0 < light["p99_latency_s"] <= light["bound_s"]


def test_the_same_seed_gives_the_same_figures() -> None:
    once = measure_fairness(seed=3, light_tasks=50, devices=2)

    assert measure_fairness(seed=3, light_tasks=50, devices=2) == once
