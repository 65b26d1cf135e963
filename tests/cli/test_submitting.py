"""From what a person typed to a command."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.cli.failures import CommandError, ExitCode, InvalidOptionError
from pointsman.cli.submitting import (
    Wish,
    deadline,
    parameters,
    read_payload,
)
from pointsman.contracts.commands import MAX_PAYLOAD_BYTES
from pointsman.contracts.message import PriorityClass

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("text", "after_s"),
    [("250ms", 0.25), ("5s", 5.0), ("1.5s", 1.5), ("2m", 120.0), ("1h", 3600.0)],
)
def test_a_span_is_a_deadline_from_now(text: str, after_s: float) -> None:
    assert deadline(text, now=NOW) == pytest.approx(NOW + after_s)


@given(
    st.datetimes(
        min_value=datetime(2020, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
        max_value=datetime(2100, 1, 1),  # noqa: DTZ001 - hypothesis adds the zone
        timezones=st.just(UTC),
    )
)
def test_a_time_with_an_offset_is_a_deadline(moment: datetime) -> None:
    assert deadline(moment.isoformat(), now=NOW) == moment.timestamp()


@pytest.mark.parametrize("text", ["soon", "5", "-5s", "2026-01-31T12:00:00", ""])
def test_a_deadline_that_could_be_misread_is_refused(text: str) -> None:
    with pytest.raises(InvalidOptionError, match="offset"):
        deadline(text, now=NOW)


def test_parameters_are_pairs() -> None:
    assert parameters(("a=1", "b=x=y", "c=")) == {"a": "1", "b": "x=y", "c": ""}


@pytest.mark.parametrize("pair", ["a", "=1", ""])
def test_a_parameter_without_its_name_or_sign_is_refused(pair: str) -> None:
    with pytest.raises(InvalidOptionError):
        parameters((pair,))


def a_wish(**options: Any) -> Wish:  # noqa: ANN401 - whatever a test changes
    plain: dict[str, Any] = {
        "family": "summarize",
        "tenant": "acme",
        "priority_class": PriorityClass.STANDARD,
        "deadline": None,
        "model": None,
        "boost_s": 0.0,
        "min_quality": 0.0,
        "allow_degradation": None,
        "max_attempts": 3,
        "parameters": (),
        "id": None,
    }
    return Wish(**plain | options)


def test_a_plain_task_asks_for_no_context_and_no_cache() -> None:
    command = a_wish().command(b"text")

    assert (command.project, command.conversation) == (None, None)
    assert (command.context_tokens, command.cache) == (0, False)


def test_a_conversation_its_project_and_its_limits_are_sent() -> None:
    options = {"project": "p.1", "conversation": "Talk_2", "context_tokens": 256, "cache": True}

    command = a_wish(**options).command(b"text")

    assert {name: getattr(command, name) for name in options} == options


@pytest.mark.parametrize("option", ["project", "conversation"])
@pytest.mark.parametrize("name", ["", ".hidden", "two words", "a/b", "x" * 129, "line\n", "Gruß"])
def test_a_name_that_could_not_be_asked_for_is_refused(option: str, name: str) -> None:
    with pytest.raises(InvalidOptionError, match=f"--{option}"):
        a_wish(**{option: name}).command(b"text")


@pytest.mark.parametrize(
    ("payload", "media_type"),
    [
        (b"text", "text/plain"),
        ("Grüße".encode(), "text/plain"),
        ("Grüße".encode("latin-1"), "application/octet-stream"),
        (b"\xff\x00 not text", "application/octet-stream"),
    ],
)
def test_bytes_that_are_no_utf8_are_not_sent_as_text(payload: bytes, media_type: str) -> None:
    command = a_wish().command(payload)

    assert (command.payload, command.media_type) == (payload, media_type)


def test_a_tenant_that_is_no_subject_token_is_refused() -> None:
    with pytest.raises(InvalidOptionError, match="--tenant"):
        a_wish(tenant="a.b").command(b"text")


def test_a_file_is_sent_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "input"
    file.write_bytes(b"\xff\x00 not text")

    assert read_payload(None, file) == b"\xff\x00 not text"


def test_the_input_is_given_exactly_once(tmp_path: Path) -> None:
    for text, file in ((None, None), ("text", tmp_path / "file")):
        with pytest.raises(InvalidOptionError, match="once"):
            read_payload(text, file)


def test_a_file_that_is_not_there_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(CommandError) as failure:
        read_payload(None, tmp_path / "missing")

    assert failure.value.exit_code is ExitCode.NOT_FOUND


def test_an_input_above_the_limit_is_refused_before_it_is_sent(tmp_path: Path) -> None:
    file = tmp_path / "large"
    file.write_bytes(b"x" * (MAX_PAYLOAD_BYTES + 1))

    with pytest.raises(CommandError) as failure:
        read_payload(None, file)

    assert failure.value.code == "payload_too_large"
