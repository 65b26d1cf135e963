"""Where inputs are cut: at the largest boundary that fits, and never within a word."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.contracts.parts import MAX_PARTS
from pointsman.policy.chunking import (
    NOT_DIVISIBLE,
    TOO_MANY_PARTS,
    NotDivisibleError,
    cut,
    least_limit,
)

TEXT = "text/plain; charset=utf-8"
LINES = "application/x-ndjson"
LIMIT = 64

FULL_WIDTH_MARK = "\uff01"
WORDS = st.text(f"abcdefghijköäüß。é{FULL_WIDTH_MARK}", min_size=1, max_size=12)
GAPS = st.sampled_from([" ", "  ", "\n", "\n\n", " \n \n ", ". ", '." ', "! ", "? ", "\r\n\r\n"])
LONGEST = 12 * 3 + 7
"""Bytes of a word with its gap."""
TEXTS = st.lists(st.tuples(WORDS, GAPS), min_size=1, max_size=120).map(
    lambda pairs: "".join(word + gap for word, gap in pairs).encode()
)


def parts_of(text: str, limit: int = LIMIT) -> list[str]:
    return [part.decode() for part in cut(text.encode(), max_bytes=limit, media_type=TEXT)]


@given(data=TEXTS, limit=st.integers(48, 400))
def test_parts_one_after_the_other_are_the_input_and_none_is_too_long(
    data: bytes, limit: int
) -> None:
    try:
        parts = cut(data, max_bytes=limit, media_type=TEXT)
    except NotDivisibleError:
        # Each part is followed by what did not fit into it.
        assert 2 * len(data) > MAX_PARTS * (limit - LONGEST)
        return

    assert b"".join(parts) == data
    assert all(0 < len(part) <= limit for part in parts)
    assert len(parts) <= MAX_PARTS
    assert cut(data, max_bytes=limit, media_type=TEXT) == parts


@given(data=TEXTS, limit=st.integers(48, 400))
def test_no_part_begins_or_ends_within_a_character_or_a_word(data: bytes, limit: int) -> None:
    try:
        parts = cut(data, max_bytes=limit, media_type=TEXT)
    except NotDivisibleError:
        return

    texts = [part.decode() for part in parts]
    assert all(text[-1].isspace() or text[-1] in f"。{FULL_WIDTH_MARK}" for text in texts[:-1])


@given(lines=st.lists(st.text("abc {}ü", max_size=20), min_size=1, max_size=60))
def test_lines_stay_whole(lines: list[str]) -> None:
    data = "".join(f"{line}\n" for line in lines).encode()

    parts = cut(data, max_bytes=LIMIT, media_type=LINES)

    assert b"".join(parts) == data
    assert all(part.endswith(b"\n") and len(part) <= LIMIT for part in parts)


def test_the_end_of_a_paragraph_is_taken_before_the_end_of_a_sentence() -> None:
    first = "A paragraph that is long enough.\n\n"

    assert parts_of(f"{first}A sentence. And so on without an end for now")[0] == first


def test_the_end_of_a_sentence_is_taken_before_the_end_of_a_word() -> None:
    first = "A sentence that is long enough. "

    assert parts_of(f"{first}and more words that follow it without an end")[0] == first


def test_what_ends_early_is_no_place_to_cut() -> None:
    text = "Short.\n\nWords and words and words and words and words and words and words"

    assert parts_of(text)[0] == "Short.\n\nWords and words and words and words and words and words "


def test_a_chinese_sentence_ends_without_a_space() -> None:
    assert parts_of("列车停下。" * 6, limit=45) == ["列车停下。" * 3] * 2


def test_a_short_input_is_one_part() -> None:
    assert parts_of("A few words.") == ["A few words."]


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        pytest.param(b"x" * (LIMIT + 1), TEXT, id="a word that is too long"),
        pytest.param(b"\xff\xfe bytes", TEXT, id="no text"),
        pytest.param(b"a b " * LIMIT, LINES, id="a line that is too long"),
    ],
)
def test_what_has_no_place_to_cut_is_refused(data: bytes, media_type: str) -> None:
    with pytest.raises(NotDivisibleError) as caught:
        cut(data, max_bytes=LIMIT, media_type=media_type)

    assert caught.value.code == NOT_DIVISIBLE


def test_an_input_that_makes_too_many_parts_is_refused() -> None:
    with pytest.raises(NotDivisibleError) as caught:
        cut(b"word " * LIMIT * MAX_PARTS, max_bytes=LIMIT, media_type=TEXT)

    assert caught.value.code == TOO_MANY_PARTS


def test_the_smallest_limit_that_makes_few_enough_parts_is_taken() -> None:
    assert least_limit(600, [100, 10, 400]) == 10
    assert least_limit(641, [100, 10, 400]) == 100
    assert least_limit(MAX_PARTS * 400 + 1, [100, 10, 400]) is None
