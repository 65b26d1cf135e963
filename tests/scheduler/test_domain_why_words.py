"""Numbers in the history of a task are written as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.scheduler.domain.why.words import span


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0.0, "0 ms"),
        (0.000_000_04, "0.00004 ms"),
        (0.25, "250 ms"),
        (0.9997, "1 s"),
        (12.345, "12.3 s"),
        (1_034.2, "1034 s"),
    ],
)
def test_a_span_has_a_unit_that_fits_it(seconds: float, told: str) -> None:
    assert span(seconds) == told


@given(st.floats(min_value=0, max_value=1e12))
def test_no_span_has_an_exponent(seconds: float) -> None:
    assert "e" not in span(seconds)
