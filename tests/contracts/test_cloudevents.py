"""CloudEvents as another SDK writes and reads them."""

import json
from datetime import UTC, datetime
from typing import Any, Final

import pytest
from cloudevents.core.bindings.http import (
    HTTPMessage,
    from_binary,
    from_structured,
    to_binary,
    to_structured,
)
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent as SdkEvent
from hypothesis import given
from hypothesis import strategies as st

from pointsman.contracts import subjects
from pointsman.contracts.cloudevents import (
    STRUCTURED,
    CloudEvent,
    MalformedCloudEventError,
    binary_headers,
    parse,
    structured_body,
)

DATA: Final = {"family": "summarize", "text": "Gr\u00fc\u00dfe \N{GRINNING FACE}", "nothing": None}
REQUIRED: Final = {"specversion": "1.0", "id": "1", "source": "/shop", "type": "t"}
# Printable text; a header cannot carry control characters, whatever the encoding.
TEXT: Final = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=60)


def attributes() -> dict[str, Any]:
    return {
        "id": 'order 17/\u00fc%41"',
        "source": "https://shop.example/a b",
        "type": "pointsman.task.submit.v1",
        "specversion": "1.0",
        "time": datetime(2026, 1, 1, 12, 0, 0, 125_000, tzinfo=UTC),
        "subject": "orders/17",
        "datacontenttype": "application/json",
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "correlationid": "mail-3391",
        "partitionkey": "7",
    }


def as_nats(message: HTTPMessage) -> dict[str, str]:
    """NATS differs from HTTP in one thing: the content type of the data is a `ce-` header too."""
    headers = {f"Ce-{name.removeprefix('ce-')}": text for name, text in message.headers.items()}
    content_type = headers.pop("Ce-content-type", None)
    return headers if content_type is None else headers | {"ce-datacontenttype": content_type}


def sdk_attributes(event: CloudEvent) -> dict[str, Any]:
    """What the SDK should make of one of our events."""
    kept = event.model_dump(exclude={"data"}, exclude_none=True)
    return kept | ({"time": event.time} if event.time else {})


def test_a_structured_event_of_another_sdk_is_read() -> None:
    message = to_structured(SdkEvent(attributes(), DATA), JSONFormat())

    event = parse(message.headers, message.body)

    assert sdk_attributes(event) == attributes()
    assert event.data == DATA


def test_a_binary_event_of_another_sdk_is_read() -> None:
    message = to_binary(SdkEvent(attributes(), DATA), JSONFormat())

    event = parse(as_nats(message), message.body)

    assert sdk_attributes(event) == attributes()
    assert event.data == DATA


def test_another_sdk_reads_our_structured_events() -> None:
    event = CloudEvent.model_validate({**attributes(), "data": DATA})

    read = from_structured(
        HTTPMessage({"content-type": STRUCTURED}, structured_body(event)), JSONFormat(), SdkEvent
    )

    assert read.get_attributes() == attributes()
    assert read.get_data() == DATA


def test_another_sdk_reads_our_binary_events() -> None:
    event = CloudEvent.model_validate({**attributes(), "data": DATA})
    headers = binary_headers(event)
    headers["content-type"] = headers.pop("ce-datacontenttype")

    read = from_binary(HTTPMessage(headers, json.dumps(DATA).encode()), JSONFormat(), SdkEvent)

    assert read.get_attributes() == attributes()
    assert read.get_data() == DATA


def test_headers_hold_printable_ascii_only() -> None:
    headers = binary_headers(CloudEvent.model_validate(attributes()))

    assert headers["ce-id"] == "order%2017/%C3%BC%2541%22"
    assert all(0x21 <= ord(character) < 0x7F for character in "".join(headers.values()))


def test_a_boolean_extension_is_written_as_the_specification_says() -> None:
    event = CloudEvent.model_validate({**REQUIRED, "sampled": True, "rate": 5})

    headers = binary_headers(event)

    assert (headers["ce-sampled"], headers["ce-rate"]) == ("true", "5")


@given(id_=TEXT, source=TEXT, extension=TEXT, data=st.dictionaries(TEXT, TEXT, max_size=3))
def test_both_modes_carry_any_text(
    id_: str, source: str, extension: str, data: dict[str, str]
) -> None:
    event = CloudEvent.model_validate(
        {**REQUIRED, "id": id_, "source": source, "colour": extension, "data": data}
    )

    assert parse({"Content-Type": STRUCTURED}, structured_body(event)) == event
    assert parse(binary_headers(event), json.dumps(data).encode()) == event


@pytest.mark.parametrize(
    "headers",
    [{}, {"Content-Type": "application/cloudevents+json; charset=utf-8"}, {"Nats-Msg-Id": "1"}],
)
def test_a_body_that_is_an_event_is_read_without_ce_headers(headers: dict[str, str]) -> None:
    event = parse(headers, json.dumps({**REQUIRED, "data": DATA}).encode())

    assert event.data == DATA


def test_a_content_type_beats_ce_headers() -> None:
    headers = {"content-type": STRUCTURED, "ce-id": "of-the-header"}

    assert parse(headers, json.dumps(REQUIRED).encode()).id == "1"


def test_an_event_without_data_is_read() -> None:
    headers = {f"ce-{name}": text for name, text in REQUIRED.items()}

    assert parse(headers, b"").data is None


@pytest.mark.parametrize(
    "change",
    [
        {"id": None},
        {"id": ""},
        {"id": 17},
        {"id": "i" * 257},
        {"specversion": "0.3"},
        {"specversion": 1.0},
        {"source": ""},
        {"type": None},
        {"time": "noon"},
        {"time": "2026-01-01T12:00:00"},
        {"Colour": "red"},
        {"data_base64": "AAAA"},
        {"colour\r\nevil": "red"},
        {"": "red"},
        {"colour": {"red": 255}},
        {"colour": [255]},
        {"traceparent": "0" * 65},
    ],
    ids=str,
)
def test_what_the_specification_forbids_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(MalformedCloudEventError) as refused:
        parse({"content-type": STRUCTURED}, json.dumps({**REQUIRED, **change}).encode())

    assert refused.value.code == "not_a_cloudevent"
    assert len(str(refused.value)) < 400
    assert refused.value.message_id == (None if "id" in change else "1")


def test_a_sender_is_told_which_message_was_not_json() -> None:
    headers = {f"ce-{name}": text for name, text in (REQUIRED | {"id": "a%20b"}).items()}

    with pytest.raises(MalformedCloudEventError) as refused:
        parse(headers, b'{"family":')

    assert (refused.value.code, refused.value.message_id) == ("not_json", "a b")


HEADER_NAMES: Final = st.sampled_from(
    ["ce-id", "CE-ID", "ce-specversion", "ce-source", "ce-type", "ce-time", "ce-", "ce-data"]
) | st.text(max_size=12)


@given(
    headers=st.dictionaries(HEADER_NAMES, st.text(st.characters(), max_size=300), max_size=6),
    body=st.binary(max_size=60) | st.sampled_from([b"{}", json.dumps(REQUIRED).encode()]),
)
def test_no_message_raises_anything_but_a_refusal_that_can_be_answered(
    headers: dict[str, str], body: bytes
) -> None:
    told = ""
    try:
        message_id: str | None = parse(headers, body).id
    except MalformedCloudEventError as refused:
        told, message_id = str(refused), refused.message_id

    subject = subjects.answer("acme", message_id or "unknown")
    assert subject.isascii()
    assert len(subject) < 4096
    assert len(told) < 1000
