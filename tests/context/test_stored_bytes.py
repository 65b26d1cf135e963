"""Events of aggregates that a release has stored stay readable, and are stored the same again."""

from typing import cast
from uuid import UUID

import msgspec
import pytest
from eventsourcing.domain import AggregateEvent

from pointsman.context.adapters.context_facts import TYPES
from pointsman.context.domain.conversation import Conversation, Turn
from pointsman.context.domain.project import MadeDecision, Preference, Project
from pointsman.context.remembering.archive import context_topics
from pointsman.contracts.message import BlobRef
from pointsman.contracts.recorded import Recorded
from pointsman.contracts.topics import AGGREGATE_TOPICS, EventCodec

NOON = 1_767_268_800.0
REF = BlobRef(digest="ab" * 32, size=11, media_type="text/plain", shard="context")

_AT = b'{"timestamp":{"_type_":"datetime_iso","_data_":"2026-01-01T12:00:00+00:00"},'
_REF = b'{"digest":"%s","size":11,"media_type":"text/plain","shard":"context"}' % (b"ab" * 32)
STORED = {
    "project.created.v1": _AT + b'"originator_topic":"project.v1","tenant":"acme","name":"plan"}',
    "project.decision_recorded.v1": _AT
    + b'"decision":{"title":"Use NATS","reason":%s,"by":"kim","at":1767268800.0}}' % _REF,
    "project.preference_recorded.v1": _AT
    + b'"preference":{"key":"tone","value":%s,"by":"kim","at":1767268800.0}}' % _REF,
    "conversation.started.v1": _AT
    + b'"originator_topic":"conversation.v1","tenant":"acme","project":"plan","name":"chat"}',
    "conversation.turn_appended.v1": _AT
    + b'"turn":{"task":"00000000-0000-0000-0000-000000000007","family":"summarize",'
    b'"variant":"summarize_lead","input":%s,"result":%s,"input_tokens":3,"result_tokens":0,'
    b'"accepted_at":1767268799.5,"completed_at":1767268800.0,"cached_from":"an-earlier-task"}}'
    % (_REF, _REF),
}


def new_events() -> list[AggregateEvent]:
    project = Project.create("acme", "plan", at=NOON)
    project.decide(MadeDecision(title="Use NATS", reason=REF, by="kim", at=NOON))
    project.prefer(Preference(key="tone", value=REF, by="kim", at=NOON))
    conversation = Conversation.start("acme", "plan", "chat", at=NOON)
    turn = Turn(
        task=UUID(int=7),
        family="summarize",
        variant="summarize_lead",
        input=REF,
        result=REF,
        input_tokens=3,
        result_tokens=0,
        accepted_at=NOON - 0.5,
        completed_at=NOON,
        cached_from="an-earlier-task",
    )
    conversation.append(turn, at=NOON)
    events = (*project.collect_events(), *conversation.collect_events())
    return [cast("AggregateEvent", event) for event in events]


def test_what_is_stored_today_is_what_was_stored() -> None:
    stored = [context_topics().stored(event) for event in new_events()]

    assert {each.topic: each.state for each in stored} == STORED
    assert set(STORED) == AGGREGATE_TOPICS


@pytest.mark.parametrize("event", new_events())
def test_what_was_stored_is_read(event: AggregateEvent) -> None:
    topics = context_topics()
    stored = topics.stored(event)
    recorded = Recorded(
        position=1,
        id=UUID(int=1),
        stream=event.originator_id,
        version=event.originator_version,
        type=stored.topic,
        time_us=1,
        data=msgspec.Raw(STORED[stored.topic]),
    )

    assert topics.event(recorded) == event


@pytest.mark.parametrize("topic", sorted(AGGREGATE_TOPICS))
def test_the_view_reads_its_part_of_the_same_bytes(topic: str) -> None:
    event = EventCodec(TYPES).decode(topic, STORED[topic])

    assert type(event) is TYPES[topic]
