"""Ratings from what was typed, and as they are shown."""

from pathlib import Path
from uuid import uuid4

import pytest

from pointsman.cli.failures import InvalidOptionError
from pointsman.cli.ratings import check_choice, given, time_of, variant_rows, words_of
from pointsman.contracts.feedback import (
    FamilyFeedback,
    FeedbackReport,
    RatingKind,
    RatingRow,
    VariantQuality,
    WithdrawFeedback,
)
from pointsman.contracts.message import BlobRef

TASK = uuid4()
NOON = 1_767_268_800.0


@pytest.mark.parametrize(
    ("values", "words", "kind", "value"),
    [
        ((True, None, None), None, RatingKind.BOOLEAN, True),
        ((None, False, None), "no", RatingKind.BOOLEAN, False),
        ((None, None, 0.0), None, RatingKind.SCORE, 0.0),
        ((None, None, None), "words", RatingKind.COMMENT, None),
    ],
)
def test_what_was_typed_becomes_one_rating(
    values: tuple[float | None, ...], words: str | None, kind: RatingKind, value: float | None
) -> None:
    command = given(TASK, "acme", "ada", None, words, *values)

    assert (command.kind, command.value, command.comment) == (kind, value, words)
    assert given(TASK, "acme", "ada", "r-1", words, *values).command_id == "r-1"


@pytest.mark.parametrize("values", [(True, False, None), (True, None, 0.5), (None, None, None)])
def test_a_rating_says_one_thing(values: tuple[float | None, ...]) -> None:
    with pytest.raises(InvalidOptionError):
        given(TASK, "acme", "ada", None, None, *values)


def withdraw(**chosen: object) -> WithdrawFeedback:
    return WithdrawFeedback(command_id="w", by="eve", **chosen)  # pyright: ignore[reportArgumentType]  # every case gives some fields


@pytest.mark.parametrize(
    ("command", "everything"),
    [
        (withdraw(), False),
        (withdraw(), True),
        (withdraw(family="summarize"), False),
        (withdraw(rating=TASK, family="summarize"), False),
        (withdraw(rating=TASK, task=TASK, author="ada"), False),
        (withdraw(task=TASK), False),
    ],
)
def test_an_undo_names_exactly_what_it_takes_back(
    command: WithdrawFeedback, everything: bool
) -> None:
    with pytest.raises(InvalidOptionError):
        check_choice(command, everything=everything)


def test_a_complete_undo_is_taken() -> None:
    check_choice(withdraw(rating=TASK), everything=False)
    check_choice(withdraw(task=TASK, author="ada"), everything=False)
    check_choice(withdraw(family="summarize", since=1.0), everything=True)


@pytest.mark.parametrize(
    ("text", "time"),
    [("30m", NOON - 1800), ("1d", NOON - 86_400), ("2026-01-01T13:00:00+01:00", NOON)],
)
def test_a_time_is_a_span_ago_or_a_moment(text: str, time: float) -> None:
    assert time_of(text, now=NOON) == time


@pytest.mark.parametrize("text", ["yesterday", "5", "2026-01-01T12:00:00"])
def test_a_time_that_could_mean_several_is_refused(text: str) -> None:
    with pytest.raises(InvalidOptionError):
        time_of(text, now=NOON)


def test_variants_are_shown_with_their_place_in_the_preferred_order() -> None:
    family = FamilyFeedback(
        family="summarize",
        ratings=200,
        variants=(
            VariantQuality(variant="large", ratings=100),
            VariantQuality(variant="small", ratings=100),
            VariantQuality(variant="tiny", ratings=0),
        ),
        order=("small", "large"),
    )

    rows = variant_rows(FeedbackReport(families=(family,)))

    assert [(row["variant"], row["preferred"]) for row in rows] == [
        ("large", 2), ("small", 1), ("tiny", None),
    ]  # fmt: skip


def test_words_that_are_not_here_are_told_as_such(tmp_path: Path) -> None:
    row = RatingRow(
        rating=TASK, at=NOON, position=1, tenant="acme", task=str(TASK), family="summarize",
        variant="large", kind="comment",
        comment=BlobRef(digest="a" * 64, size=1, media_type="text/plain", shard="feedback"),
    )  # fmt: skip

    assert "no such shard" in str(words_of(tmp_path, row))
