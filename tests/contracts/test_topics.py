"""The codec refuses what is not registered and brings older versions up to date."""

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.contracts.events import Decision, LeaderElected, TaskShed
from pointsman.contracts.topics import (
    TOPICS,
    EventCodec,
    NewerVersionError,
    UnknownTopicError,
    UnreadableEventError,
    version_of,
)
from tests.support.scheduling import NOON


class TrainSent(Decision, frozen=True):
    """The third release of an event: track and length were one string, then the colour went."""

    track: int
    cars: int


class TrainStopped(Decision, frozen=True):
    pass


def split_name(document: dict[str, object]) -> dict[str, object]:
    track, _, cars = str(document.pop("name")).partition("x")
    return {**document, "track": int(track), "cars": int(cars)}


def without_colour(document: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in document.items() if name != "colour"}


RAILWAY: Final = EventCodec(
    topics={"train.sent.v3": TrainSent},
    upcasters={
        "train.sent.v1": ("train.sent.v2", split_name),
        "train.sent.v2": ("train.sent.v3", without_colour),
    },
)
SENT: Final = TrainSent(at=NOON, applied_to=4, track=3, cars=12)


@pytest.mark.parametrize(
    ("topic", "state"),
    [
        ("train.sent.v3", b'{"at":1767268800.0,"applied_to":4,"track":3,"cars":12}'),
        ("train.sent.v2", b'{"at":1767268800.0,"applied_to":4,"track":3,"cars":12,"colour":"r"}'),
        ("train.sent.v1", b'{"at":1767268800.0,"applied_to":4,"name":"3x12","colour":"r"}'),
    ],
)
def test_older_versions_pass_through_the_chain_of_upcasters(topic: str, state: bytes) -> None:
    assert RAILWAY.decode(topic, state) == SENT


def test_a_new_event_is_stored_under_the_newest_version() -> None:
    assert RAILWAY.topic(SENT) == "train.sent.v3"


def test_a_version_that_was_released_later_stops_the_reader_whatever_its_bytes() -> None:
    with pytest.raises(NewerVersionError) as refused:
        RAILWAY.decode("train.sent.v4", b"\x82\xa2at\xcb")

    assert (refused.value.known, refused.value.found) == (3, 4)
    assert refused.value.topic == "train.sent.v4"


@pytest.mark.parametrize(
    "topic",
    [
        "train.stopped.v1",
        "train.sent",
        "train.sent.v",
        "train.sent.v0",
        "train.sent.v03",
        "train.sent.v²",
        "train.sent.v٣",
        "train.sent.v" + "9" * 5000,
        ".v3",
        "",
        "pointsman.contracts.topics:EventCodec",
    ],
)
def test_a_topic_that_was_never_registered_is_refused_whatever_its_bytes(topic: str) -> None:
    with pytest.raises(UnknownTopicError) as refused:
        RAILWAY.decode(topic, b"\xff")

    assert refused.value.topic == topic


@pytest.mark.parametrize(
    "state",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"{}",
        b'{"at":"noon","applied_to":4,"pool":"main","epoch":1,"holder":"a"}',
        b'{"at":1.0,"applied_to":4,"pool":"\xff","epoch":1,"holder":"a"}',
        b'{"at":1.0,"applied_to":4,"pool":"\\ud800","epoch":1,"holder":"a"}',
        b'{"at":1e999,"applied_to":4,"pool":"main","epoch":1,"holder":"a"}',
        b'{"at":1.0,"applied_to":' + b"9" * 5000 + b"}",
        b'{"other":' + b"[" * 100_000,
    ],
)
def test_bytes_that_do_not_fit_their_topic_are_unreadable(state: bytes) -> None:
    with pytest.raises(UnreadableEventError) as refused:
        EventCodec().decode("pool.leader_elected.v1", state)

    assert refused.value.topic == "pool.leader_elected.v1"


def test_an_old_event_that_does_not_fit_is_unreadable() -> None:
    with pytest.raises(UnreadableEventError):
        RAILWAY.decode("train.sent.v2", b'{"at":1.0,"applied_to":4,"track":"third"}')


@given(state=st.binary(max_size=64))
def test_no_bytes_raise_anything_else(state: bytes) -> None:
    try:
        event = EventCodec().decode("task.shed.v1", state)
    except UnreadableEventError:
        return
    assert isinstance(event, TaskShed)


@given(
    at=st.floats(allow_nan=False, allow_infinity=False),
    applied_to=st.integers(min_value=0, max_value=2**63 - 1),
    reason=st.text(),
)
def test_what_is_stored_is_what_is_read(at: float, applied_to: int, reason: str) -> None:
    codec = EventCodec()
    event = TaskShed(at=at, applied_to=applied_to, reason=reason)

    stored = codec.encode(event)

    assert codec.decode("task.shed.v1", stored) == event
    assert codec.encode(codec.decode("task.shed.v1", stored)) == stored


def test_an_event_type_without_a_topic_cannot_be_stored() -> None:
    with pytest.raises(UnknownTopicError):
        EventCodec().topic(TrainStopped(at=NOON, applied_to=0))


def test_every_topic_names_aggregate_event_and_version() -> None:
    for topic in TOPICS:
        name, version = version_of(topic)

        assert len(name.split(".")) == 2
        assert topic == f"{name}.v{version}"


def test_no_type_stands_under_two_topics() -> None:
    assert len(set(TOPICS.values())) == len(TOPICS)
    assert EventCodec().topic(
        LeaderElected(at=NOON, applied_to=0, pool="main", epoch=1, holder="a")
    )
