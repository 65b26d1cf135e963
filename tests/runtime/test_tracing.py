from hypothesis import given
from hypothesis import strategies as st

from pointsman.runtime.tracing import (
    context_of,
    current_traceparent,
    link_to,
    new_traceparent,
    traceparent_of,
)


def test_outside_of_a_span_there_is_no_traceparent() -> None:
    assert current_traceparent() is None


def test_a_message_carries_it_plainly_or_as_a_cloudevent_does() -> None:
    assert traceparent_of({"traceparent": "a", "ce-traceparent": "b"}) == "a"
    assert traceparent_of({"ce-traceparent": "b"}) == "b"
    assert traceparent_of(None) is None


@given(sampled=st.booleans())
def test_a_new_traceparent_can_be_continued(*, sampled: bool) -> None:
    link = link_to(new_traceparent(sampled=sampled))

    assert link is not None
    assert link.context.trace_flags.sampled is sampled


@given(text=st.text())
def test_text_that_is_no_traceparent_is_ignored(text: str) -> None:
    assert link_to(text) is None
    assert len(context_of(text)) == 0
