"""How long unloads are expected to take, from those that were measured."""

from collections.abc import Sequence
from statistics import fmean
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.policy.unload_times import UnloadTimes

Measured = Sequence[tuple[str, float]]

MEASURED: Final = st.lists(
    st.tuples(st.sampled_from("abc"), st.floats(min_value=0.0, max_value=1e4)), max_size=20
)


def measured(unloads: Measured) -> UnloadTimes:
    times = UnloadTimes()
    for variant, unload_s in unloads:
        times.unloaded(variant, unload_s)
    return times


def test_before_the_first_nothing_is_expected() -> None:
    times = UnloadTimes()

    assert (times.mean_s, times.expected_s(["a", "b"])) == (0.0, 0.0)


@given(MEASURED)
def test_a_variant_takes_its_mean_and_an_unknown_one_that_of_all(unloads: Measured) -> None:
    times = measured(unloads)

    of_all = fmean(s for _, s in unloads) if unloads else 0.0
    assert times.expected_s(["new"]) == pytest.approx(of_all)
    for variant in {variant for variant, _ in unloads}:
        own = fmean(s for name, s in unloads if name == variant)
        assert times.expected_s([variant]) == pytest.approx(own)


@given(MEASURED, st.lists(st.sampled_from("abcd")))
def test_several_go_one_after_the_other(unloads: Measured, going: list[str]) -> None:
    times = measured(unloads)

    assert times.expected_s(going) == pytest.approx(sum(times.expected_s([v]) for v in going))


@given(MEASURED, MEASURED)
def test_a_copy_goes_on_to_the_last_digit(before: Measured, after: Measured) -> None:
    times, copy = measured(before), UnloadTimes()
    copy.restore(times.totals, times.seconds)

    for variant, unload_s in after:
        times.unloaded(variant, unload_s)
        copy.unloaded(variant, unload_s)

    assert copy.mean_s == times.mean_s
    assert copy.expected_s("abcd") == times.expected_s("abcd")
