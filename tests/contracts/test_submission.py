"""What other systems may ask for, and what they are told when they ask for something else."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.contracts.cloudevents import CloudEvent
from pointsman.contracts.commands import MAX_DEPENDENCIES
from pointsman.contracts.message import Degradation, PriorityClass
from pointsman.contracts.submission import (
    SUBMIT_TYPE,
    InvalidSubmissionError,
    TaskSubmission,
    submission_of,
    submit_command,
)

LEAST = {"family": "summarize", "text": "a"}


def event(data: object, type_: str = SUBMIT_TYPE) -> CloudEvent:
    return CloudEvent(specversion="1.0", id="1", source="/shop", type=type_, data=data)


def test_the_least_that_a_sender_must_say() -> None:
    asked = submission_of(event(LEAST))

    assert asked == TaskSubmission(family="summarize", text="a")
    assert asked.priority_class is PriorityClass.STANDARD
    assert (asked.max_attempts, asked.min_quality, asked.boost_s) == (3, 0.0, 0.0)
    assert (asked.deadline, asked.deadline_ms, asked.allow_degradation) == (None, None, None)
    assert (asked.project_id, asked.conversation_id) == (None, None)
    assert (asked.context_tokens, asked.cache) == (0, False)


def test_the_most_that_a_sender_can_say() -> None:
    asked = submission_of(
        event(
            {
                **LEAST,
                "model": "summarize_lead",
                "priority_class": "batch",
                "deadline": "2026-01-01T13:00:00+01:00",
                "boost_s": 2.5,
                "allow_degradation": "none",
                "min_quality": 0.6,
                "max_attempts": 10,
                "parameters": {"sentences": "3"},
                "project_id": "site",
                "conversation_id": "Order-17.mail",
                "context_tokens": 512,
                "cache": True,
            }
        )
    )

    assert asked.deadline == datetime(2026, 1, 1, 12, tzinfo=UTC)
    assert asked.allow_degradation is Degradation.NONE
    assert asked.parameters == {"sentences": "3"}
    assert (asked.project_id, asked.conversation_id) == ("site", "Order-17.mail")
    assert (asked.context_tokens, asked.cache) == (512, True)


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"family": "Summarize"}, "family"),
        ({"family": "a.b"}, "family"),
        ({"family": "summarize\n"}, "family"),
        ({"family": ""}, "family"),
        ({"family": None}, "family"),
        ({"text": ""}, "text"),
        ({"text": None}, "text"),
        ({"text": "a" * 900_001}, "text"),
        ({"model": "*"}, "model"),
        ({"priority_class": "urgent"}, "priority_class"),
        ({"deadline": "2026-01-01T12:00:00"}, "deadline"),
        ({"deadline": "soon"}, "deadline"),
        ({"deadline_ms": -1}, "deadline_ms"),
        ({"deadline_ms": 31 * 86_400_000}, "deadline_ms"),
        ({"deadline_ms": 1.5}, "deadline_ms"),
        ({"deadline": "2026-01-01T12:00:00Z", "deadline_ms": 5}, "not both"),
        ({"boost_s": -0.1}, "boost_s"),
        ({"boost_s": 301}, "boost_s"),
        ({"boost_s": "nan"}, "boost_s"),
        ({"allow_degradation": "yes"}, "allow_degradation"),
        ({"min_quality": 1.01}, "min_quality"),
        ({"max_attempts": 0}, "max_attempts"),
        ({"max_attempts": 11}, "max_attempts"),
        ({"parameters": {"A b": "c"}}, "parameters"),
        ({"parameters": {"a": 3}}, "parameters"),
        ({"parameters": {"a": "b" * 257}}, "parameters"),
        ({"parameters": {f"p{n}": "1" for n in range(17)}}, "parameters"),
        ({"conversation_id": ""}, "conversation_id"),
        ({"conversation_id": ".hidden"}, "conversation_id"),
        ({"conversation_id": "a/b"}, "conversation_id"),
        ({"conversation_id": "a\n"}, "conversation_id"),
        ({"conversation_id": "c" * 129}, "conversation_id"),
        ({"project_id": "a b"}, "project_id"),
        ({"project_id": "Gr\u00fc\u00dfe"}, "project_id"),
        ({"context_tokens": -1}, "context_tokens"),
        ({"context_tokens": 1_000_001}, "context_tokens"),
        ({"context_tokens": 1.5}, "context_tokens"),
        ({"cache": "perhaps"}, "cache"),
        ({"prioritty_class": "batch"}, "prioritty_class"),
        ({"k" * 100_000: 1}, "kkk"),
    ],
)
def test_a_wrong_wish_is_named(change: dict[str, object], where: str) -> None:
    with pytest.raises(InvalidSubmissionError) as refused:
        submission_of(event({**LEAST, **change}))

    assert refused.value.code == "invalid_task"
    assert where in str(refused.value)
    assert len(str(refused.value)) < 400


@pytest.mark.parametrize("data", [None, [], "text", 1])
def test_data_that_is_no_object_is_refused(data: object) -> None:
    with pytest.raises(InvalidSubmissionError) as refused:
        submission_of(event(data))

    assert refused.value.code == "invalid_task"


@pytest.mark.parametrize(
    ("type_", "code"),
    [
        ("pointsman.task.submit.v2", "newer_version"),
        ("pointsman.task.submit", "unknown_type"),
        ("pointsman.task.submit.vx", "unknown_type"),
        ("pointsman.task.cancel.v1", "unknown_type"),
        ("t", "unknown_type"),
    ],
)
def test_another_type_is_refused_with_the_one_that_is_taken(type_: str, code: str) -> None:
    with pytest.raises(InvalidSubmissionError) as refused:
        submission_of(event(LEAST, type_))

    assert refused.value.code == code
    assert SUBMIT_TYPE in str(refused.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@given(changes=st.dictionaries(st.sampled_from(sorted(TaskSubmission.model_fields)), JSON))
def test_no_data_raises_anything_but_a_refusal(changes: dict[str, object]) -> None:
    try:
        asked = submission_of(event({**LEAST, **changes}))
    except InvalidSubmissionError:
        return
    assert asked.text
    assert 0.0 <= asked.boost_s <= 300.0
    assert 0.0 <= asked.min_quality <= 1.0
    assert asked.deadline is None or asked.deadline.timestamp() is not None


def test_a_sender_may_say_when_a_task_may_run_and_what_it_belongs_to() -> None:
    first = "019b7a3e-6c11-7a52-8d3e-5f0c3b2a1d07"
    asked = submission_of(
        event(
            {
                **LEAST,
                "not_before": "2026-01-01T13:00:00+01:00",
                "depends_on": [first],
                "bulk": "backfill-7",
            }
        )
    )

    command = submit_command(asked, command_id="1", tenant="acme", source="/shop", now=0.0)

    assert command.not_before == datetime(2026, 1, 1, 12, tzinfo=UTC).timestamp()
    assert command.depends_on == (UUID(first),)
    assert (command.bulk, command.schedule) == ("backfill-7", None)


@pytest.mark.parametrize(
    "wrong",
    [
        {"not_before": "2026-01-01T13:00:00"},
        {"depends_on": ["order-17"]},
        {"depends_on": [str(UUID(int=n)) for n in range(MAX_DEPENDENCIES + 1)]},
        {"bulk": "no name"},
        {"schedule": "nightly"},
    ],
)
def test_what_says_nothing_clear_about_that_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(InvalidSubmissionError) as caught:
        submission_of(event({**LEAST, **wrong}))

    assert caught.value.code == "invalid_task"
