"""The AsyncAPI document says of the bus what the code does, in the form that tools read."""

import re
from collections.abc import Iterator
from typing import Any, cast

import pytest

from pointsman.contracts import subjects
from pointsman.contracts.topics import AGGREGATE_TOPICS, TOPICS
from pointsman.eventstore.publications import PUBLIC_TYPES
from pointsman.runtime.streams import plans
from tests.architecture.asyncapi import REPLIES, document
from tests.architecture.bus import covers, logins, routes
from tests.architecture.message_types import references
from tests.architecture.source_tree import SERVICES, package_of

Json = dict[str, Any]

NAME = re.compile(r"[A-Za-z0-9._-]+")
EXTENSION = re.compile(r"x-[a-z-]+")

# The fields of AsyncAPI 3.0.0 that are used here, and those that it requires.
FIELDS: dict[str, tuple[set[str], set[str]]] = {
    "": ({"asyncapi", "info"}, {"defaultContentType", "servers", "channels", "operations"}),
    "info": ({"title", "version"}, {"description", "license", "tags"}),
    "servers": ({"host", "protocol"}, {"description"}),
    "channels": ({"address", "messages"}, {"summary", "description", "parameters"}),
    "operations": ({"action", "channel", "messages", "tags", "summary"}, {"reply"}),
    "messages": ({"name", "payload"}, {"summary", "headers", "contentType"}),
}
BOTH = {"send", "receive"}
# Heard without a router: the tokens of an answer while it is made (`contracts/token_streams.py`).
UNUSED = {"pm.stream.*"}


@pytest.fixture(scope="module")
def spec() -> Json:
    return document()


def test_it_has_the_fields_of_its_version_and_no_others(spec: Json) -> None:
    parts = {
        "": [{k: v for k, v in spec.items() if k != "components"}],
        "info": [spec["info"]],
        "servers": spec["servers"].values(),
        "channels": spec["channels"].values(),
        "operations": spec["operations"].values(),
        "messages": spec["components"]["messages"].values(),
    }

    assert spec["asyncapi"] == "3.0.0"
    for kind, (required, optional) in FIELDS.items():
        for part in cast("list[Json]", parts[kind]):
            own = {name for name in part if not EXTENSION.fullmatch(name)}
            assert required <= own <= required | optional, (kind, part)


def test_every_reference_is_resolved(spec: Json) -> None:
    found = list(_pointers(spec))

    assert len(found) > 100
    for pointer in found:
        target: Any = spec
        for token in pointer.removeprefix("#/").split("/"):
            target = target[token]
        assert target, pointer


def test_names_are_such_that_every_tool_can_read_them(spec: Json) -> None:
    components = spec["components"]

    for part in (spec["channels"], spec["operations"], *components.values()):
        assert all(NAME.fullmatch(name) for name in part)


def test_every_channel_has_its_address_its_parameters_and_messages(spec: Json) -> None:
    for name, channel in spec["channels"].items():
        assert channel["messages"], name
        if name == REPLIES:
            assert channel["address"] is None
        else:
            assert set(re.findall(r"{(\w+)}", channel["address"])) == set(
                channel.get("parameters", {})
            )


def test_an_operation_uses_the_messages_of_its_channel(spec: Json) -> None:
    for operation in spec["operations"].values():
        assert operation["action"] in BOTH
        for side in (operation, *([operation["reply"]] if "reply" in operation else [])):
            channel = side["channel"]["$ref"]
            assert all(each["$ref"].startswith(f"{channel}/messages/") for each in side["messages"])


def test_every_message_and_every_schema_is_used(spec: Json) -> None:
    used = {pointer.removeprefix("#/components/") for pointer in _pointers(spec)}
    channels = spec["channels"].values()

    for kind, parts in spec["components"].items():
        assert {f"{kind}/{name}" for name in parts} <= used
    assert {each for channel in channels for each in channel["messages"]} == set(
        spec["components"]["messages"]
    )


def test_what_is_sent_somewhere_is_received_by_somebody(spec: Json) -> None:
    sides: dict[str, set[str]] = {}
    for operation in spec["operations"].values():
        sides.setdefault(operation["channel"]["$ref"], set()).add(operation["action"])

    assert {f"#/channels/{name}" for name in spec["channels"]} - set(sides) == {
        f"#/channels/{REPLIES}"
    }
    assert [channel for channel, actions in sides.items() if actions != BOTH] == []


def test_every_permission_is_for_something_that_travels(spec: Json) -> None:
    addresses = [each["address"] for each in spec["channels"].values() if each["address"]]
    patterns = {
        pattern
        for login in logins()
        for pattern in (*login.publish, *login.subscribe)
        if pattern.startswith("pm.")
    }

    idle = {p for p in patterns if not any(covers(p, address) for address in addresses)}

    assert idle - {f"pm.cmd.{service}.>" for service in _services()} == UNUSED


def test_every_handler_of_every_service_receives(spec: Json) -> None:
    receivers = {
        (operation["tags"][0]["name"], operation.get("x-handler"))
        for operation in spec["operations"].values()
        if operation["action"] == "receive"
    }

    assert {route.service for route in routes()} == _services()
    for route in routes():
        handler = f"pointsman.{route.service}.handlers:{route.function}"
        assert (route.service, handler) in receivers


def test_a_request_has_a_reply_and_a_reading_has_none(spec: Json) -> None:
    submit = spec["operations"]["scheduler.receive.cmd.scheduler.submit"]
    question = spec["operations"]["scheduler.receive.query.scheduler.task"]
    reading = spec["operations"]["degradation.receive.tel.device"]

    assert _names(submit["messages"]) == ["SubmitTask.list"]
    assert _names(submit["reply"]["messages"]) == ["Answer.list"]
    assert _names(question["reply"]["messages"]) == ["TaskRow", "Refusal"]
    assert "reply" not in reading


def test_work_queues_and_the_feed_are_read_through_durable_consumers(spec: Json) -> None:
    durable = {
        name: operation["x-jetstream-consumer"]["durable"]
        for name, operation in spec["operations"].items()
        if "x-jetstream-consumer" in operation
    }

    assert durable["scheduler.receive.inbox.tasks"] == subjects.INBOX_CONSUMER
    assert durable["feedback.receive.inbox.feedback"] == subjects.FEEDBACK_CONSUMER
    assert {name for name in durable if name.endswith(".feed")} == {
        f"{service}.receive.feed"
        for service in ("context", "degradation", "feedback", "resource_monitor")
    }


def test_every_stream_keeps_a_channel(spec: Json) -> None:
    kept = {
        channel["x-jetstream"]["stream"]
        for channel in spec["channels"].values()
        if "x-jetstream" in channel
    }

    assert kept == {plan.config.name for plan in plans()}


def test_the_feed_carries_every_topic_and_the_public_ones_have_channels(spec: Json) -> None:
    recorded = spec["components"]["schemas"]["Recorded"]
    public = {name for name in spec["channels"] if name.startswith("pm.evt.")}

    topics = [each["properties"]["type"]["const"] for each in recorded["oneOf"]]

    assert topics == [*TOPICS, *sorted(AGGREGATE_TOPICS)]
    assert public == {f"pm.evt.{each}" for each in PUBLIC_TYPES}


def test_a_public_event_has_its_headers_and_lacks_what_is_withheld(spec: Json) -> None:
    messages, schemas = spec["components"]["messages"], spec["components"]["schemas"]

    headers = messages["task.accepted.v1"]["headers"]
    letter = schemas[messages["dead_letter.recorded.v1"]["payload"]["$ref"].rpartition("/")[2]]

    assert {"ce-id", "ce-source", "ce-specversion", "ce-type"} <= set(headers["required"])
    assert "ce-traceparent" in set(headers["properties"]) - set(headers["required"])
    assert headers["properties"]["ce-type"]["const"] == "task.accepted.v1"
    assert "headers" in schemas["DeadLetterRecorded"]["properties"]
    assert "headers" not in letter["properties"]


def test_another_handler_is_another_document(spec: Json, monkeypatch: pytest.MonkeyPatch) -> None:
    *others, gone = routes()

    monkeypatch.setattr("tests.architecture.asyncapi.routes", lambda: tuple(others))
    changed = document()

    assert set(spec["operations"]) > set(changed["operations"])
    assert not any(gone.function == _handler(each) for each in changed["operations"].values())


def _services() -> set[str]:
    return {package_of(folder).name for folder in SERVICES}


def _handler(operation: Json) -> str:
    return str(operation.get("x-handler", "")).rpartition(":")[2]


def _names(pointers: list[Json]) -> list[str]:
    return [name for each in pointers for name in references(each)]


def _pointers(value: object) -> Iterator[str]:
    if isinstance(value, list):
        for each in cast("list[object]", value):
            yield from _pointers(each)
    elif isinstance(value, dict):
        for key, each in cast("Json", value).items():
            if key == "$ref":
                yield str(each)
            else:
                yield from _pointers(each)
