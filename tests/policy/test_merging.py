"""What becomes of the results of parts, by the rule of their family; what is missing is said."""

import array
import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.contracts.parts import Merge
from pointsman.policy.merging import NotMergeableError, Piece, merged

TEXT = "text/plain; charset=utf-8"
VECTOR = "application/vnd.pointsman.tensor;datatype=FP32;shape=1,2"
JSON = "application/json"


def vector(*numbers: float) -> bytes:
    return array.array("f", numbers).tobytes()


def numbers_of(data: bytes) -> list[float]:
    numbers = array.array("f")
    numbers.frombytes(data)
    return list(numbers)


def verdict(**scores: float) -> bytes:
    return json.dumps(
        {"label": max(scores, key=lambda name: scores[name]), "scores": scores}
    ).encode()


def votes(*pieces: Piece) -> dict[str, Any]:
    return json.loads(merged(Merge.VOTE, pieces).data)


def test_texts_are_joined_in_the_order_of_the_input() -> None:
    pieces = [Piece(1, 10, b"First.\n", TEXT), Piece(2, 10, b" Second.", TEXT)]

    whole = merged(Merge.JOIN, pieces)

    assert whole.data == b"First.\n\nSecond."
    assert whole.media_type == f"{TEXT};parts=2"


def test_a_missing_text_is_named_in_its_place() -> None:
    pieces = [
        Piece(1, 10, b"First.", TEXT),
        Piece(2, 10, code="bad_output"),
        Piece(3, 10, b"Third.", TEXT),
        Piece(4, 10, code="expired"),
    ]

    whole = merged(Merge.JOIN, pieces)

    assert whole.data.decode().split("\n\n") == [
        "First.",
        "[part 2 of 4 is missing: bad_output]",
        "Third.",
        "[part 4 of 4 is missing: expired]",
    ]
    assert whole.media_type == f'{TEXT};parts=4;missing="2,4"'


def test_vectors_are_weighted_by_the_bytes_of_their_parts() -> None:
    pieces = [Piece(1, 300, vector(1, 0), VECTOR), Piece(2, 400, vector(0, 1), VECTOR)]

    whole = merged(Merge.MEAN, pieces)

    assert numbers_of(whole.data) == pytest.approx([0.6, 0.8])
    assert whole.media_type == f"{VECTOR};parts=2"


def test_vectors_that_cancel_each_other_leave_none() -> None:
    pieces = [Piece(1, 1, vector(1, 0), VECTOR), Piece(2, 1, vector(-1, 0), VECTOR)]

    assert numbers_of(merged(Merge.MEAN, pieces).data) == [0.0, 0.0]


@given(
    vectors=st.lists(
        st.tuples(st.integers(1, 10_000), st.floats(-1, 1, width=32), st.floats(-1, 1, width=32)),
        min_size=1,
        max_size=8,
    )
)
def test_a_mean_has_length_one_or_none(vectors: list[tuple[int, float, float]]) -> None:
    pieces = [Piece(n, w, vector(x, y), VECTOR) for n, (w, x, y) in enumerate(vectors, start=1)]

    length = math.hypot(*numbers_of(merged(Merge.MEAN, pieces).data))

    assert length == pytest.approx(1.0, abs=1e-5) or length == 0.0


def test_the_label_with_the_largest_weighted_score_leads() -> None:
    won = votes(
        Piece(1, 100, verdict(files=0.9, text=0.1), JSON),
        Piece(2, 300, verdict(files=0.3, text=0.7), JSON),
    )

    assert won == {
        "label": "text",
        "scores": {"files": 0.45, "text": 0.55},
        "parts": {"total": 2, "missing": []},
    }


def test_of_equal_labels_the_first_by_name_leads() -> None:
    assert (
        votes(Piece(1, 1, verdict(text=1.0), JSON), Piece(2, 1, verdict(files=1.0), JSON))["label"]
        == "files"
    )


def test_a_label_without_scores_has_the_whole_vote() -> None:
    won = votes(Piece(1, 3, b'{"label": "files"}', JSON), Piece(2, 1, verdict(text=1.0), JSON))

    assert won["scores"] == {"files": 0.75, "text": 0.25}


def test_a_missing_vote_is_named_and_weighs_nothing() -> None:
    won = votes(Piece(1, 10, verdict(files=1.0), JSON), Piece(2, 990, code="lost_too_often"))

    assert won["scores"] == {"files": 1.0}
    assert won["parts"] == {"total": 2, "missing": [2]}


@pytest.mark.parametrize(
    ("rule", "pieces"),
    [
        pytest.param(Merge.JOIN, [Piece(1, 1, code="expired")], id="nothing at all"),
        pytest.param(Merge.MEAN, [Piece(1, 1, b"three", TEXT)], id="no numbers"),
        pytest.param(Merge.MEAN, [Piece(1, 1, vector(math.nan), VECTOR)], id="not finite"),
        pytest.param(
            Merge.MEAN,
            [Piece(1, 1, vector(1), VECTOR), Piece(2, 1, vector(1, 2), VECTOR)],
            id="other lengths",
        ),
        pytest.param(Merge.VOTE, [Piece(1, 1, b"files", TEXT)], id="no JSON"),
        pytest.param(Merge.VOTE, [Piece(1, 1, b"[1]", JSON)], id="no label"),
        pytest.param(Merge.VOTE, [Piece(1, 1, b'{"scores": {"a": "b"}}', JSON)], id="no score"),
    ],
)
def test_results_that_the_rule_does_not_fit_are_not_merged(
    rule: Merge, pieces: list[Piece]
) -> None:
    with pytest.raises(NotMergeableError) as caught:
        merged(rule, pieces)

    assert caught.value.rule is rule
