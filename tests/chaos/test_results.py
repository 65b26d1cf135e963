"""A result that is not what the task sent is found."""

from uuid import uuid4

from tests.chaos.results import wrong_results
from tests.support.task_events import accepted, as_recorded, completed, granted, stream_of


def test_an_identity_with_another_content_is_wrong_and_another_family_is_not() -> None:
    wrong, other = uuid4(), uuid4()
    log = as_recorded(
        [
            *stream_of(wrong, [accepted(family="identity"), granted(), completed()]),
            *stream_of(other, [accepted(family="summarize"), granted(), completed()]),
        ]
    )

    assert wrong_results(log) == (wrong,)
