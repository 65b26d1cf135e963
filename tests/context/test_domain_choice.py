"""Which turns are kept: properties of the choice, and the figures that it records."""

from dataclasses import replace

import hypothesis.strategies as st
from hypothesis import given

from pointsman.context.adapters.characters import CharacterTokens
from pointsman.context.domain.choice import HALF_LIFE_TURNS, Candidate, choose, recency
from pointsman.context.domain.layout import block, payload
from pointsman.context.domain.relevance import cosine
from tests.context.scheduling import vector

relevances = st.none() | st.floats(0, 1)
candidate_lists = st.lists(
    st.builds(
        Candidate,
        turn=st.integers(1, 40),
        tokens=st.integers(1, 300),
        relevance=relevances,
        unusable=st.sampled_from(["", "", "", "it is not text alone"]),
    ),
    max_size=32,
    unique_by=lambda each: each.turn,
)


@given(candidates=candidate_lists, room=st.integers(-50, 2000))
def test_every_candidate_is_kept_in_order_or_dropped_with_a_reason(
    candidates: list[Candidate], room: int
) -> None:
    choice = choose(candidates, latest=40, room=room)

    kept = [item.turn for item in choice.kept]
    assert kept == sorted(kept)
    assert {*kept, *(item.turn for item in choice.dropped)} == {each.turn for each in candidates}
    assert len(choice.kept) + len(choice.dropped) == len(candidates)
    assert all(item.why for item in choice.dropped)
    assert not any(item.why for item in choice.kept)
    assert choice.tokens <= max(0, room)


@given(candidates=candidate_lists, room=st.integers(0, 2000))
def test_a_usable_turn_is_dropped_only_if_better_ones_left_no_room(
    candidates: list[Candidate], room: int
) -> None:
    choice = choose(candidates, latest=40, room=room)

    usable = {each.turn for each in candidates if not each.unusable}
    for item in choice.dropped:
        better = sum(kept.tokens for kept in choice.kept if kept.score >= item.score)
        assert item.turn not in usable or better + item.tokens > room


@given(candidates=candidate_lists, room=st.integers(0, 2000))
def test_the_order_in_which_candidates_come_does_not_matter(
    candidates: list[Candidate], room: int
) -> None:
    assert choose(candidates, latest=40, room=room) == choose(
        candidates[::-1], latest=40, room=room
    )


@given(candidates=candidate_lists)
def test_without_any_measurement_recency_alone_decides(candidates: list[Candidate]) -> None:
    unmeasured = [replace(each, relevance=None, unusable="") for each in candidates]

    choice = choose(unmeasured, latest=40, room=10_000)

    assert all(item.score == item.recency for item in choice.kept)


def test_recency_halves_every_four_turns() -> None:
    assert recency(40, 40) == 1.0
    assert recency(40 - HALF_LIFE_TURNS, 40) == 0.5
    assert recency(40 - 3 * HALF_LIFE_TURNS, 40) == 0.125


def test_a_turn_that_was_not_measured_counts_as_the_others_do_on_average() -> None:
    three = [Candidate(8, 1, 0.2), Candidate(8, 1, 0.6), Candidate(8, 1)]

    scores = sorted(item.score for item in choose(three, latest=8, room=10).kept)

    assert scores == [0.2, 0.4, 0.6]


texts = st.text(st.characters(codec="utf-8"), max_size=200)


@given(turns=st.lists(st.tuples(texts, texts), max_size=8), task_input=texts)
def test_a_payload_never_has_more_tokens_than_its_parts(
    turns: list[tuple[str, str]], task_input: str
) -> None:
    """So what fits by its parts fits as a whole."""
    count = CharacterTokens().count
    blocks = [block(*turn) for turn in turns]

    whole = payload(blocks, task_input).decode()

    assert count(whole) <= sum(map(count, blocks)) + count(task_input)


def test_a_token_is_four_characters_rounded_up() -> None:
    assert [CharacterTokens().count("x" * n) for n in (0, 1, 4, 5)] == [0, 1, 1, 2]


@given(
    one=st.lists(st.floats(-1e3, 1e3, width=32), max_size=16),
    other=st.lists(st.floats(-1e3, 1e3, width=32), max_size=16),
)
def test_relevance_is_between_0_and_1_and_symmetric(one: list[float], other: list[float]) -> None:
    there, back = cosine(vector(*one), vector(*other)), cosine(vector(*other), vector(*one))

    assert there is None or 0 <= there <= 1
    assert (there is None) == (back is None)
    assert there is None or back is None or abs(there - back) < 1e-9


def test_relevance_is_the_clipped_cosine() -> None:
    assert cosine(vector(1, 0), vector(2, 0)) == 1.0
    assert cosine(vector(1, 0), vector(0, 3)) == 0.0
    assert cosine(vector(1, 0), vector(-1, 0)) == 0.0
    assert abs((cosine(vector(3, 4), vector(3, 0)) or 0) - 0.6) < 1e-6


def test_what_cannot_be_compared_has_no_relevance() -> None:
    assert cosine(vector(1), vector()) is None
    assert cosine(vector(1), vector(1)[:-4]) is None
    assert cosine(b"", b"") is None
    assert cosine(b"abc", b"abc") is None
    assert cosine(vector(float("nan")), vector(1)) is None
