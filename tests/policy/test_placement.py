"""The choice between variants and devices, and what a decision says of the rest."""

import hashlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.policy.placement import OTHERS, Option, Weights, choose, suitability


def option(  # noqa: PLR0913 - a builder has one argument per fact
    device: str = "cpu-0",
    variant: str = "fast",
    *,
    quality: float = 0.5,
    free_slots: int = 1,
    slots: int = 1,
    expected_s: float = 0.1,
    affinity: bool = False,
    temperature_c: float | None = None,
    refused: str | None = None,
    rank: int = 0,
) -> Option:
    return Option(
        device=device,
        variant=variant,
        quality=quality,
        free_slots=free_slots,
        slots=slots,
        expected_s=expected_s,
        affinity=affinity,
        temperature_c=temperature_c,
        refused=refused,
        rank=rank,
    )


OPTIONS = st.lists(
    st.builds(
        option,
        st.sampled_from(["cpu-0", "gpu-0", "gpu-1"]),
        st.sampled_from(["best", "good", "fast"]),
        quality=st.sampled_from([0.2, 0.5, 0.9]),
        free_slots=st.integers(0, 4),
        slots=st.just(4),
        expected_s=st.sampled_from([0.1, 0.2, 1.0]),
        affinity=st.booleans(),
        temperature_c=st.none() | st.floats(20, 110),
        refused=st.sampled_from([None, "no free slot", "device is suspended"]),
        rank=st.integers(0, 3),
    ),
    max_size=20,
)


def test_nothing_is_chosen_from_nothing_or_from_what_is_refused() -> None:
    assert choose([], Weights()) is None
    assert choose([option(refused="no free slot")], Weights()) is None


def test_the_best_quality_wins_over_a_more_suitable_device() -> None:
    choice = choose(
        [
            option("gpu-0", "fast", quality=0.5, free_slots=4, slots=4, affinity=True),
            option("cpu-0", "best", quality=0.9, free_slots=1, slots=4),
        ],
        Weights(),
    )

    assert choice is not None
    assert (choice.chosen.device, choice.chosen.variant) == ("cpu-0", "best")
    assert [other.variant for other in choice.others] == ["fast"]


def test_what_is_preferred_wins_over_a_better_quality_and_a_more_suitable_device() -> None:
    choice = choose(
        [
            option("gpu-0", "best", quality=0.9, free_slots=4, slots=4, affinity=True, rank=1),
            option("cpu-0", "fast", quality=0.5, free_slots=1, slots=4, rank=0),
            option("cpu-1", "tiny", quality=0.2, rank=0, refused="no free slot"),
        ],
        Weights(),
    )

    assert choice is not None
    assert choice.chosen.variant == "fast"
    assert [other.variant for other in choice.others] == ["best", "tiny"]


@pytest.mark.parametrize(
    "better",
    [
        option("b", free_slots=4, slots=4),
        option("b", free_slots=2, slots=4, affinity=True, expected_s=9.0),
        option("b", free_slots=2, slots=4, temperature_c=30.0, expected_s=9.0),
        option("b", free_slots=2, slots=4, expected_s=0.05),
    ],
    ids=["emptier", "ran it last", "cooler", "sooner"],
)
def test_among_equals_in_quality_the_more_suitable_device_wins(better: Option) -> None:
    worse = option("a", free_slots=2, slots=4, temperature_c=90 if better.temperature_c else None)

    choice = choose([worse, better], Weights())

    assert choice is not None
    assert choice.chosen.device == "b"


def test_equal_options_are_ordered_by_name() -> None:
    choice = choose([option("gpu-1"), option("gpu-0")], Weights())

    assert choice is not None
    assert choice.chosen.device == "gpu-0"


def test_what_nobody_measured_neither_helps_nor_hurts() -> None:
    weights = Weights()

    full = suitability(option(free_slots=1, slots=1, affinity=True), weights)
    also = suitability(option(free_slots=1, slots=1, affinity=True, temperature_c=40.0), weights)

    assert full.score == also.score == 1.0
    assert (full.temperature, also.temperature) == (None, 1.0)


def test_the_score_weighs_its_components() -> None:
    half = suitability(option(free_slots=1, slots=2, temperature_c=65.0), Weights())

    assert half.score == pytest.approx(0.4 * 1 + 0.3 * 0.5 + 0.2 * 0.5)
    assert (half.memory, half.utilisation, half.temperature, half.affinity) == (1, 0.5, 0.5, 0)


@given(options=OPTIONS)
def test_the_chosen_one_is_free_to_take_and_nothing_free_is_better(options: list[Option]) -> None:
    choice = choose(options, Weights())

    free = [item for item in options if item.refused is None]
    if choice is None:
        assert free == []
    else:
        assert choice.chosen.refused is None
        first = min(item.rank for item in free)
        preferred = [item for item in free if item.rank == first]
        assert choice.chosen.quality == max(item.quality for item in preferred)
        scored = [suitability(item, Weights()) for item in preferred]
        rivals = [rival for rival in scored if rival.quality == choice.chosen.quality]
        assert choice.chosen.score == max(rival.score for rival in rivals)


@given(options=OPTIONS)
def test_every_candidate_is_accounted_for(options: list[Option]) -> None:
    choice = choose(options, Weights())

    if choice is not None:
        told = [choice.chosen, *choice.others]
        scored = [suitability(item, Weights()) for item in options]
        assert len(told) + choice.more == len(options)
        assert len(choice.others) == min(OTHERS, len(options) - 1)
        assert all(candidate in scored for candidate in told)
        assert (choice.more_digest == "") == (choice.more == 0)


def test_the_digest_stands_for_exactly_what_was_left_out() -> None:
    options = [option(f"gpu-{n:02}", quality=0.9 - n / 100) for n in range(10)]

    choice = choose(options, Weights())

    left_out = [suitability(item, Weights()) for item in options[1 + OTHERS :]]
    assert choice is not None
    assert choice.more == 2
    digest = hashlib.sha256(msgspec.json.encode(left_out)).hexdigest()
    assert choice.more_digest == digest[:16]
