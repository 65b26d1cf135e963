"""From another system's message to a task."""

import json

import pytest

from pointsman.contracts.cloudevents import MalformedCloudEventError
from pointsman.contracts.message import Degradation, PriorityClass
from pointsman.scheduler.leading.inbox_message import InboxRequest, read_inbox_message
from tests.support.scheduling import NOON

EVENT = {
    "specversion": "1.0",
    "id": "order-17",
    "source": "/shop",
    "type": "pointsman.task.submit.v1",
    "traceparent": "00-1-2-01",
    "correlationid": "mail-1",
    "causationid": "order-16",
    "data": {"family": "summarize", "text": "Gr\u00fc\u00dfe"},
}


def read(data: dict[str, object] | None = None, *, now: float = NOON) -> InboxRequest:
    event = {**EVENT, "data": {"family": "summarize", "text": "Gr\u00fc\u00dfe", **(data or {})}}
    return read_inbox_message("acme", {}, json.dumps(event).encode(), now=now)


def test_a_message_becomes_a_task_of_the_tenant_of_its_subject() -> None:
    task = read().task

    assert (task.command_id, task.tenant, task.source) == ("order-17", "acme", "/shop")
    assert task.payload == "Gr\u00fc\u00dfe".encode()
    assert (task.traceparent, task.correlation_id, task.causation_id) == (
        "00-1-2-01",
        "mail-1",
        "order-16",
    )


def test_every_wish_is_passed_on() -> None:
    wishes: dict[str, object] = {
        "model": "fast",
        "priority_class": "batch",
        "boost_s": 2.5,
        "allow_degradation": "none",
        "min_quality": 0.6,
        "max_attempts": 5,
        "parameters": {"sentences": "3"},
        "project_id": "site",
        "conversation_id": "c-1",
        "context_tokens": 512,
        "cache": True,
    }

    task = read(wishes).task

    assert (task.model, task.priority_class) == ("fast", PriorityClass.BATCH)
    assert (task.boost_s, task.min_quality, task.max_attempts) == (2.5, 0.6, 5)
    assert (task.degradation, task.parameters) == (Degradation.NONE, {"sentences": "3"})
    assert (task.project, task.conversation) == ("site", "c-1")
    assert (task.context_tokens, task.cache) == (512, True)


@pytest.mark.parametrize(
    "deadline", [{"deadline": "2026-01-01T12:00:01.5Z"}, {"deadline_ms": 1500}]
)
def test_a_deadline_is_absolute_from_here_on(deadline: dict[str, object]) -> None:
    assert read(deadline).task.deadline == NOON + 1.5
    assert read().task.deadline is None


def test_a_repeated_message_has_the_same_identity_however_late_it_comes() -> None:
    first, again = read({"deadline_ms": 1500}), read({"deadline_ms": 1500}, now=NOON + 60)

    assert first.identity == again.identity
    assert first.task.deadline != again.task.deadline


def test_what_is_left_out_and_what_is_asked_for_anyway_have_the_same_identity() -> None:
    assert read({"cache": False, "priority_class": "standard"}).identity == read().identity


@pytest.mark.parametrize(
    "change",
    [
        {"text": "other"},
        {"deadline_ms": 1501},
        {"max_attempts": 2},
        {"conversation_id": "c-1"},
        {"cache": True},
    ],
)
def test_another_wish_has_another_identity(change: dict[str, object]) -> None:
    assert read(change).identity != read({"deadline_ms": 1500}).identity


@pytest.mark.parametrize(
    ("body", "code", "message_id"),
    [
        (b"{", "not_json", None),
        (b"[]", "not_an_object", None),
        (json.dumps({**EVENT, "id": ""}).encode(), "not_a_cloudevent", None),
        (json.dumps({**EVENT, "data": {}}).encode(), "invalid_task", "order-17"),
        (json.dumps({**EVENT, "type": "other"}).encode(), "unknown_type", "order-17"),
        (
            json.dumps({**EVENT, "type": "pointsman.task.submit.v2"}).encode(),
            "newer_version",
            "order-17",
        ),
        (
            json.dumps({**EVENT, "data": {"family": "a", "text": "\u00fc" * 300_000}}).encode(),
            "too_large",
            None,
        ),
        (
            json.dumps(
                {**EVENT, "data": {"family": "a", "text": "\u00fc" * 300_000}}, ensure_ascii=False
            ).encode(),
            "payload_too_large",
            "order-17",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_become_a_task_is_refused_with_its_id(
    body: bytes, code: str, message_id: str | None
) -> None:
    with pytest.raises(MalformedCloudEventError) as refused:
        read_inbox_message("acme", {}, body, now=NOON)

    assert (refused.value.code, refused.value.message_id) == (code, message_id)
