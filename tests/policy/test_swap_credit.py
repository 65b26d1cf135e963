"""What a device may spend on displacing a model that has work."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.policy.swap_credit import CAP_LOADS, SHARE, SwapCredit

MEAN_LOAD_S = 20.0
FULL_S = CAP_LOADS * MEAN_LOAD_S


def test_credit_starts_full_and_is_capped() -> None:
    credit = SwapCredit()

    credit.earn(1e9)

    assert credit.left_s(MEAN_LOAD_S) == FULL_S


def test_a_load_is_earned_back_by_so_much_service() -> None:
    credit = SwapCredit()

    credit.spend(19.0, MEAN_LOAD_S)
    credit.earn(19.0 * (1 - SHARE) / SHARE / 2)

    assert credit.left_s(MEAN_LOAD_S) == pytest.approx(FULL_S - 9.5)


def test_forced_swaps_lead_to_the_floor_and_not_below() -> None:
    credit = SwapCredit()

    for _ in range(100):
        credit.spend(MEAN_LOAD_S, MEAN_LOAD_S)

    assert credit.left_s(MEAN_LOAD_S) == -FULL_S


@given(st.lists(st.tuples(st.booleans(), st.floats(0.0, 100.0)), max_size=200))
def test_what_is_spent_by_choice_is_earned_but_for_ten_loads(
    steps: list[tuple[bool, float]],
) -> None:
    credit, spent_s, served_s = SwapCredit(), 0.0, 0.0
    for serves, seconds in steps:
        if serves:
            credit.earn(seconds)
            served_s += seconds
        elif credit.left_s(MEAN_LOAD_S) >= seconds:
            credit.spend(seconds, MEAN_LOAD_S)
            spent_s += seconds
        else:
            # Forced: paid for as far as the floor allows, and no part of the promise.
            credit.spend(seconds, MEAN_LOAD_S)

    assert spent_s <= SHARE / (1 - SHARE) * served_s + 2 * FULL_S + 1e-6
