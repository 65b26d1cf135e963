"""The table that says what a failed call means."""

import pytest
from grpc import StatusCode
from hypothesis import given
from hypothesis import strategies as st

from pointsman.executor.adapters.triton_failures import (
    MAX_MESSAGE,
    OUT_OF_MEMORY_TEXTS,
    STATUSES,
    failure_of,
    scrubbed,
)
from pointsman.executor.ports import EngineDeadlineError


@pytest.mark.parametrize(
    ("status", "details", "code", "retryable", "device_lost"),
    [
        (StatusCode.UNAVAILABLE, "Socket closed", "engine_unavailable", True, True),
        (StatusCode.UNAVAILABLE, "Connection refused", "engine_unavailable", True, True),
        (StatusCode.UNAVAILABLE, "exceeds maximum queue size", "engine_busy", True, False),
        (StatusCode.UNAVAILABLE, "Request timeout expired", "engine_busy", True, False),
        (StatusCode.NOT_FOUND, "unknown model: 'x'", "model_not_found", True, False),
        (StatusCode.RESOURCE_EXHAUSTED, "no memory", "out_of_memory", True, False),
        (StatusCode.RESOURCE_EXHAUSTED, "larger than max", "message_too_large", False, False),
        (StatusCode.INVALID_ARGUMENT, "INPUT is empty", "invalid_input", False, False),
        (StatusCode.INTERNAL, "ValueError", "model_error", False, False),
        (StatusCode.UNKNOWN, "?", "model_error", False, False),
        (StatusCode.CANCELLED, "by the model", "engine_cancelled", True, False),
        (StatusCode.UNIMPLEMENTED, "no such method", "engine_refused", False, False),
        (StatusCode.DATA_LOSS, "anything else", "model_error", False, False),
    ],
)  # fmt: skip
def test_a_status_means(
    status: StatusCode, details: str, code: str, retryable: bool, device_lost: bool
) -> None:
    error = failure_of(status, details)

    assert (error.code, error.retryable, error.device_lost) == (code, retryable, device_lost)


@pytest.mark.parametrize("text", OUT_OF_MEMORY_TEXTS)
@pytest.mark.parametrize("status", [StatusCode.INTERNAL, StatusCode.UNKNOWN])
def test_back_ends_that_ran_out_of_memory_are_known_by_their_words(
    status: StatusCode, text: str
) -> None:
    error = failure_of(status, f"in ensemble 'x': {text} 123456")

    assert (error.code, error.retryable) == ("out_of_memory", True)


def test_an_unknown_text_is_never_taken_for_a_lack_of_memory() -> None:
    assert failure_of(StatusCode.INTERNAL, "memory of elephants").code == "model_error"


def test_a_deadline_is_not_a_failure_but_a_timeout() -> None:
    assert isinstance(
        failure_of(StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded"), EngineDeadlineError
    )


def test_a_status_without_words_is_named() -> None:
    assert str(failure_of(StatusCode.INTERNAL, None)) == "INTERNAL"


def test_only_a_server_that_does_not_answer_loses_the_device() -> None:
    lost = [status for status, meaning in STATUSES.items() if meaning.device_lost]

    assert lost == [StatusCode.UNAVAILABLE]


@given(st.text(max_size=2_000))
def test_a_models_text_becomes_one_printable_line(text: str) -> None:
    line = scrubbed(text)

    assert line.isprintable()
    assert len(line) <= MAX_MESSAGE
