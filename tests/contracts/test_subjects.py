"""Subjects and stream ids: nothing that a sender chooses changes whom a message reaches."""

import base64
import re
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.contracts import subjects
from pointsman.contracts.streams import stream_id
from pointsman.contracts.topics import TOPICS


def test_a_plain_message_id_is_a_token_of_its_answer() -> None:
    assert subjects.answer("acme", "order-17_A") == "pm.answer.acme.order-17_A"


@pytest.mark.parametrize(
    "message_id", ["a.b", "a b", "*", ">", "a>", "\u00fc", "order\n", "\r\nPUB x 0\r\n", "a" * 129]
)
def test_any_other_message_id_is_coded(message_id: str) -> None:
    subject = subjects.answer("acme", message_id)

    token = subject.removeprefix("pm.answer.acme.=")
    assert re.fullmatch(r"[A-Za-z0-9_-]*", token)
    padded = token + "=" * (-len(token) % 4)
    assert base64.urlsafe_b64decode(padded).decode() == message_id


@given(first=st.text(min_size=1, max_size=256), second=st.text(min_size=1, max_size=256))
def test_answers_to_two_messages_never_meet(first: str, second: str) -> None:
    same = subjects.answer("acme", first) == subjects.answer("acme", second)

    assert same == (first == second)


@given(message_id=st.text(st.characters(exclude_categories=[]), min_size=1, max_size=5000))
def test_no_message_id_makes_a_subject_that_the_server_refuses(message_id: str) -> None:
    subject = subjects.answer("acme", message_id)

    assert re.fullmatch(r"pm\.answer\.acme\.[A-Za-z0-9=_-]+", subject)
    assert len(subject) < 4096


def test_the_tenant_is_the_last_token_of_an_inbox_subject() -> None:
    assert subjects.tenant_of_inbox(subjects.inbox("acme")) == "acme"


@pytest.mark.parametrize("tenant", ["acme", "a", "0-x_y", "a" * 63])
def test_a_tenant_is_a_subject_token(tenant: str) -> None:
    assert re.fullmatch(subjects.TENANT_PATTERN, tenant)


@pytest.mark.parametrize("tenant", ["", "Acme", "a.b", "*", "a b", "-a", "a" * 64])
def test_what_is_no_subject_token_is_no_tenant(tenant: str) -> None:
    assert re.fullmatch(subjects.TENANT_PATTERN, tenant) is None


def test_commands_go_to_a_service_or_to_the_leader_of_a_pool() -> None:
    assert subjects.command("scheduler", "submit", "main") == "pm.cmd.scheduler.main.submit"
    assert subjects.command("cli", "stop") == "pm.cmd.cli.stop"
    assert subjects.query("scheduler", "why") == "pm.query.scheduler.why"
    assert subjects.lease("main", "executor-1") == "pm.lease.main.executor-1"
    assert subjects.renewals("main") == "pm.tel.lease.main"
    assert subjects.answers("acme") == "pm.answer.acme.*"


def test_a_public_event_has_no_version_in_its_subject() -> None:
    assert subjects.event("task.accepted.v1") == "pm.evt.task.accepted"
    assert len({subjects.event(topic) for topic in TOPICS}) == len(TOPICS)


def test_a_stream_is_named_by_kind_name_and_tenant() -> None:
    streams = {
        stream_id("device", "cpu-0"),
        stream_id("model", "cpu-0"),
        stream_id("device", "cpu-1"),
        stream_id("device", "cpu-0", "acme"),
    }

    assert len(streams) == 4
    # Streams of a log outlive releases: this is the id that the first one computed.
    assert stream_id("pool", "main") == UUID("9475c5d1-6c41-5710-a064-bbb1438a98d2")
