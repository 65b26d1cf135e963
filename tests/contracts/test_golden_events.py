"""Every topic ever released stays readable, and what is stored stays as it was stored."""

import msgspec
import pytest

from pointsman.contracts.topics import TOPICS, UPCASTERS, EventCodec
from tests.support.golden_files import (
    golden_documents,
    golden_names,
    half_covered,
    written_fields,
)


def test_every_registered_topic_has_a_golden_file_and_every_file_a_topic() -> None:
    assert golden_names("events") == {*TOPICS, *UPCASTERS}


@pytest.mark.parametrize("topic", sorted(TOPICS))
def test_an_event_that_was_stored_is_stored_again_byte_for_byte(topic: str) -> None:
    codec = EventCodec()

    events = [codec.decode(topic, golden) for golden in golden_documents("events", topic)]

    assert [codec.encode(event) for event in events] == golden_documents("events", topic)
    assert {codec.topic(event) for event in events} == {topic}


@pytest.mark.parametrize("topic", sorted(golden_names("events")))
def test_an_event_of_any_release_is_read(topic: str) -> None:
    codec = EventCodec()

    events = [codec.decode(topic, golden) for golden in golden_documents("events", topic)]

    assert events
    assert all(codec.topic(event) in TOPICS for event in events)


def test_golden_events_show_every_optional_field_set_and_unset() -> None:
    codec = EventCodec()

    fields = (
        field
        for topic in TOPICS
        for golden in golden_documents("events", topic)
        for field in written_fields(codec.decode(topic, golden), msgspec.json.decode(golden))
    )

    assert half_covered(fields) == set()


@pytest.mark.parametrize("topic", sorted(TOPICS))
def test_an_older_reader_ignores_a_field_that_it_does_not_know(topic: str) -> None:
    codec = EventCodec()
    golden = golden_documents("events", topic)[0]
    newer = golden[:-1] + b',"added_later":{"deep":[1,2]}}'

    assert codec.decode(topic, newer) == codec.decode(topic, golden)


@pytest.mark.parametrize("topic", sorted(TOPICS))
def test_an_event_without_what_replay_needs_is_unreadable(topic: str) -> None:
    type_ = TOPICS[topic]

    required = {field.name for field in msgspec.structs.fields(type_) if field.required}

    assert {"at", "applied_to"} <= required
