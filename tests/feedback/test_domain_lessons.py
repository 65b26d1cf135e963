"""What ratings teach, and how often that is wrong: seeded simulations of ADR 9."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.feedback.domain.intervals import CONFIDENCE, Z, wilson
from pointsman.feedback.domain.lessons import MIN_RATINGS, Lesson

RUNS = 100
REGISTERED = ("large", "small")
TURNED = ("small", "large")


def turned_at(seed: int, large: float, small: float, *, even: bool) -> tuple[bool, bool]:
    """200 ratings of two variants by their true acceptance: ever turned, turned at the end."""
    draws = random.Random(seed)
    lesson, ever = Lesson(), False
    for index in range(200):
        is_small = index % 2 == 1 if even else draws.random() < 0.5
        acceptance = small if is_small else large
        lesson.count("small" if is_small else "large", float(draws.random() < acceptance))
        ever = ever or lesson.order(REGISTERED) == TURNED
    return ever, lesson.order(REGISTERED) == TURNED


def rates(large: float, small: float, *, even: bool, seed: int = 0) -> tuple[int, int]:
    """Of 100 runs: how many turned, and how many were turned at the end."""
    runs = [turned_at(seed + run, large, small, even=even) for run in range(RUNS)]
    return sum(ever for ever, _ in runs), sum(end for _, end in runs)


@pytest.mark.parametrize("even", [True, False], ids=["100 each", "at random"])
@pytest.mark.parametrize(("small", "large"), [(0.9, 0.7), (0.8, 0.6), (0.7, 0.5), (0.5, 0.3)])
def test_200_ratings_turn_the_preference_when_acceptance_differs_by_20_points(
    small: float, large: float, even: bool
) -> None:
    ever, _ = rates(large, small, even=even)

    assert ever >= 95


def test_equal_variants_are_turned_in_about_a_quarter_of_the_runs() -> None:
    ever, end = rates(0.7, 0.7, even=False)

    assert ever <= 33
    assert end <= 30


@pytest.mark.parametrize(("points", "most"), [(0.2, 2), (0.1, 7)])
def test_a_truly_better_variant_is_rarely_passed_over(points: float, most: int) -> None:
    ever, end = rates(0.7 + points / 2, 0.7 - points / 2, even=False)

    assert ever <= most
    assert end <= ever


def test_below_the_minimum_nothing_is_compared() -> None:
    lesson = Lesson()
    for _ in range(MIN_RATINGS - 1):
        lesson.count("large", 0.0)
        lesson.count("small", 1.0)

    assert lesson.order(REGISTERED) == ()

    lesson.count("large", 0.0)
    lesson.count("small", 1.0)
    assert lesson.order(REGISTERED) == TURNED


def test_it_stays_turned_while_the_mean_is_greater_and_no_longer() -> None:
    lesson = Lesson()
    for index in range(100):
        lesson.count("large", float(index % 2))
        lesson.count("small", float(index % 4 != 0))
    assert lesson.order(REGISTERED) == TURNED

    for _ in range(49):
        lesson.count("small", 0.0)
    assert lesson.tallies["small"].mean > lesson.tallies["large"].mean
    assert lesson.tallies["small"].interval.low < lesson.tallies["large"].interval.high
    assert lesson.order(REGISTERED) == TURNED

    lesson.count("small", 0.0)
    assert lesson.order(REGISTERED) == ()


ratings = st.lists(
    st.tuples(st.sampled_from("abcd"), st.floats(0, 1) | st.sampled_from([0.0, 1.0])), max_size=600
)


@given(ratings)
def test_an_order_names_each_variant_with_enough_ratings_once(
    given_: list[tuple[str, float]],
) -> None:
    lesson = Lesson()

    for variant, value in given_:
        lesson.count(variant, value)

        enough = [v for v, tally in lesson.tallies.items() if tally.ratings >= MIN_RATINGS]
        order = lesson.order("abcd")
        assert order == () or sorted(order) == sorted(enough)
        assert order != tuple(sorted(enough)) or not order


@pytest.mark.parametrize("shares", [(0.2, 0.5, 0.9, 0.6), (0.9, 0.1, 0.5, 0.95)])
def test_variants_are_ordered_as_they_proved(shares: tuple[float, ...]) -> None:
    draws = random.Random(7)
    lesson = Lesson()
    for _ in range(2_000):
        for variant, share in zip("abcd", shares, strict=True):
            lesson.count(variant, float(draws.random() < share))

    best_first = sorted("abcd", key=lambda v: -shares["abcd".index(v)])

    assert lesson.order("abcd") == tuple(best_first)


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_an_interval_holds_its_mean_and_shrinks_with_the_ratings(trials: int, share: float) -> None:
    low, high = wilson(share * trials, trials)
    lower, higher = wilson(share * trials * 4, trials * 4)

    assert 0 <= low <= share + 1e-9
    assert share - 1e-9 <= high <= 1
    assert higher - lower < high - low


def test_the_interval_is_the_one_of_wilson() -> None:
    # Solutions of (p - share)^2 = z^2 p (1 - p) / n, by their definition.
    low, high = wilson(70, 100)

    for bound in (low, high):
        assert (bound - 0.7) ** 2 == pytest.approx(Z**2 * bound * (1 - bound) / 100)
    assert wilson(0, 0) == (0.0, 1.0)
    assert CONFIDENCE == 0.60


def test_the_average_follows_the_newest() -> None:
    lesson = Lesson()
    assert lesson.average is None

    lesson.count("large", 1.0)
    assert lesson.average == pytest.approx(1.0)

    for _ in range(100):
        lesson.count("large", 0.0)
    assert lesson.average is not None
    assert lesson.average < 0.01
