"""Scores and bands, and what is learned of sizes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.policy.complexity import (
    Band,
    Scale,
    asked_tokens,
    band_of,
    score_of,
    tokens_of,
    work_of,
    written_tokens,
)
from pointsman.policy.task_sizes import ENOUGH, ENOUGH_FOR_SCALE, MIN_SPAN, TaskSizes

SCALE = Scale(simple_below=100.0, complex_from=1000.0, read_from="declared")

tokens = st.integers(0, 1_000_000)
scales = st.tuples(st.floats(1.0, 1e6), st.floats(1.01, 1e4)).map(
    lambda ends: Scale(ends[0], ends[0] * ends[1], "declared")
)


@pytest.mark.parametrize(
    ("work", "score", "band"),
    [
        (0, 0.0, Band.SIMPLE),
        (99, 0.2983, Band.SIMPLE),
        (100, 0.3, Band.MEDIUM),
        (316, 0.4999, Band.MEDIUM),
        (999, 0.6998, Band.MEDIUM),
        (1000, 0.7, Band.COMPLEX),
        (10**9, 1.0, Band.COMPLEX),
    ],
)
def test_bands_meet_where_the_scale_says(work: int, score: float, band: Band) -> None:
    assert score_of(work, SCALE) == pytest.approx(score, abs=1e-3)
    assert band_of(score_of(work, SCALE)) is band


@given(scale=scales, few=tokens, more=tokens)
def test_more_work_is_never_simpler(scale: Scale, few: int, more: int) -> None:
    low, high = score_of(few, scale), score_of(few + more, scale)

    assert 0.0 <= low <= high <= 1.0


@pytest.mark.parametrize(
    ("parameters", "asked"),
    [
        (None, None),
        ({"temperature": "1"}, None),
        ({"max_tokens": "64"}, 64),
        ({"max_tokens": "-1"}, None),
        ({"max_tokens": "²"}, None),
        ({"max_tokens": "many"}, None),
    ],
)
def test_only_a_plain_number_says_how_much_output_is_allowed(
    parameters: dict[str, str] | None, asked: int | None
) -> None:
    assert asked_tokens(parameters) == asked


def test_a_result_that_is_no_text_was_not_written_token_by_token() -> None:
    assert written_tokens(41, "text/plain; charset=utf-8") == tokens_of(41) == 11
    assert written_tokens(1024, "application/octet-stream") == 0


def test_output_weighs_more_than_input() -> None:
    assert work_of(10, 1) > work_of(11, 0)


def completed(sizes: TaskSizes, input_tokens: int, output_tokens: int, times: int = ENOUGH) -> None:
    for _ in range(times):
        sizes.completed(
            "summarize",
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            work=work_of(input_tokens, output_tokens),
        )


def test_the_expected_output_is_the_median_of_inputs_of_that_size() -> None:
    sizes = TaskSizes()
    completed(sizes, 100, 20)
    completed(sizes, 1000, 70)

    # 100 and 90 are of one magnitude, 1000 and 600 of another.
    assert sizes.output_tokens("summarize", 90) == 20
    assert sizes.output_tokens("summarize", 600) == 70
    assert sizes.output_tokens("classify", 90) is None


def test_a_few_runs_teach_nothing() -> None:
    sizes = TaskSizes()
    completed(sizes, 100, 20, times=ENOUGH - 1)
    for _ in range(ENOUGH - 1):
        sizes.ran("summarize", "fast", work=180, run_s=1.0, estimated_s=2.0)

    assert sizes.output_tokens("summarize", 100) is None
    assert sizes.run_s("fast", 180) is None
    assert sizes.off("summarize") is None
    assert sizes.scale("summarize") is None
    assert sizes.runs("summarize") == ENOUGH - 1


sizes_seen = st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 5000)), max_size=60)


@given(seen=sizes_seen, shorter=st.integers(0, 5000), longer=st.integers(0, 5000))
def test_a_longer_input_never_promises_less_output(
    seen: list[tuple[int, int]], shorter: int, longer: int
) -> None:
    sizes = TaskSizes()
    for input_tokens, output_tokens in seen:
        completed(sizes, input_tokens, output_tokens)

    less = sizes.output_tokens("summarize", shorter)
    more = sizes.output_tokens("summarize", shorter + longer)

    assert (less is None) == (more is None)
    assert less is None or more is None or less <= more


def test_a_scale_is_learned_from_what_a_family_is_asked_for() -> None:
    sizes = TaskSizes()
    for work in range(100, 100 + 10 * ENOUGH_FOR_SCALE, 10):
        sizes.completed("summarize", input_tokens=work, output_tokens=0, work=work)

    scale = sizes.scale("summarize")

    assert scale is not None
    # 3 of 10 tasks were below 190 tokens of work, 3 of 10 beyond 320; both ends are drawn apart.
    assert scale.simple_below < 200
    assert scale.complex_from > 320
    assert scale.complex_from / scale.simple_below == pytest.approx(MIN_SPAN)


def test_where_all_tasks_are_alike_all_are_of_medium_complexity() -> None:
    sizes = TaskSizes()
    completed(sizes, 500, 0, times=ENOUGH_FOR_SCALE)

    scale = sizes.scale("summarize")

    assert scale is not None
    assert band_of(score_of(500, scale)) is Band.MEDIUM


def test_the_error_of_estimates_is_a_factor_whichever_way_they_were_off() -> None:
    sizes = TaskSizes()
    for run_s in (0.5, 2.0, 0.5, 2.0, 1.0):
        sizes.ran("summarize", "fast", work=100, run_s=run_s, estimated_s=1.0)

    assert sizes.off("summarize") == pytest.approx(2.0)
    assert sizes.run_s("fast", 100) == 1.0


def test_a_run_that_nobody_had_estimated_is_no_error() -> None:
    sizes = TaskSizes()
    for _ in range(ENOUGH):
        sizes.ran("summarize", "fast", work=100, run_s=1.0, estimated_s=0.0)

    assert sizes.off("summarize") is None


@given(seen=sizes_seen)
def test_what_was_learned_goes_on_from_its_snapshot(seen: list[tuple[int, int]]) -> None:
    sizes, copy = TaskSizes(), TaskSizes()
    for input_tokens, output_tokens in seen:
        completed(sizes, input_tokens, output_tokens, times=3)
    for measured in sizes.measured():
        copy.restore(measured)

    completed(sizes, 7, 7)
    completed(copy, 7, 7)

    assert list(copy.measured()) == list(sizes.measured())
