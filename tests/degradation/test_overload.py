"""SIMULATED overloads: the real ladder on a queue model (`overload_simulation`)."""

from collections.abc import Callable

import pytest

from pointsman.contracts.levels import Level
from tests.degradation.overload_simulation import SimulatedPool, shown

BEGINS_S = 10.0
ENDS_S = 70.0


def overload(times: float, otherwise: float = 0.5) -> Callable[[float], float]:
    return lambda second: times if BEGINS_S <= second < ENDS_S else otherwise


@pytest.mark.parametrize("seed", range(20))
def test_a_simulated_overload_of_twice_the_best_is_carried_at_degrade_and_forgotten(
    seed: int,
) -> None:
    pool = SimulatedPool(overload(2.0), seed=seed)

    sequence = pool.run(ENDS_S + 40)

    print(shown(sequence))  # noqa: T201 - the sequence is what somebody wants to see
    # Up twice, down twice: whatever oscillates has more steps.
    assert [step.level for _, step in sequence] == [
        Level.CONSERVE,
        Level.DEGRADE,
        Level.CONSERVE,
        Level.NORMAL,
    ]
    (down, _), (normal, _) = sequence[2:]
    assert down > ENDS_S
    assert normal <= ENDS_S + 30
    assert pool.longest_wait_s < 15


@pytest.mark.parametrize("seed", range(5))
def test_a_simulated_overload_beyond_every_variant_is_shed_and_forgotten_within_30_s(
    seed: int,
) -> None:
    pool = SimulatedPool(overload(4.0), seed=seed)

    sequence = pool.run(ENDS_S + 40)

    print(shown(sequence))  # noqa: T201 - the sequence is what somebody wants to see
    assert [step.level for _, step in sequence] == [
        Level.CONSERVE,
        Level.DEGRADE,
        Level.SHED,
        Level.DEGRADE,
        Level.CONSERVE,
        Level.NORMAL,
    ]
    assert sequence[-1][0] <= ENDS_S + 30


@pytest.mark.parametrize("seed", range(5))
def test_a_simulated_pool_with_room_to_spare_stays_at_normal(seed: int) -> None:
    pool = SimulatedPool(overload(0.8), seed=seed)

    assert pool.run(120) == []
