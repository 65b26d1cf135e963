"""How messages look that other systems send and read: CloudEvents, as the code makes them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import msgspec
from pydantic import BaseModel

from pointsman.contracts.cloudevents import STRUCTURED, CloudEvent
from pointsman.contracts.events import Decision
from pointsman.contracts.recorded import Recorded
from pointsman.contracts.topics import AGGREGATE_TOPICS, TOPICS
from pointsman.eventstore.publications import Outgoing, PublicEvents
from pointsman.eventstore.stream_tip import POSITION_HEADER
from tests.architecture.message_types import Schema, Schemas, reference, words

_PREFIX: Final = "ce-"
_POSITION: Final[Schema] = {
    "type": "string",
    "pattern": "^[0-9]+-[0-9]+$",
    "description": "First and last log position that the message stands for",
}
POSITION_HEADERS: Final[Schema] = {"type": "object", "properties": {POSITION_HEADER: _POSITION}}


@dataclass(frozen=True, slots=True)
class Published:
    """An event topic: the schema of its bytes in the log, and its public message if it has one."""

    topic: str
    summary: str
    stored: Schema
    message: Schema | None


def published(schemas: Schemas) -> list[Published]:
    """Every topic, in the order of the registry."""
    known = [_published(topic, type_, schemas) for topic, type_ in TOPICS.items()]
    folded = [
        Published(topic, "Written by the library that folds it", {"type": "object"}, None)
        for topic in sorted(AGGREGATE_TOPICS)
    ]
    return known + folded


def _published(topic: str, type_: type[Decision], schemas: Schemas) -> Published:
    stored = schemas.of(type_)
    names = [field.encode_name for field in msgspec.structs.fields(type_)]
    full = _outgoing(topic, dict.fromkeys(names, "x"))
    bare = _outgoing(topic, {})
    if full is None or bare is None:
        return Published(topic, words(type_), stored, None)
    shown = set(msgspec.json.decode(full.body, type=dict[str, object]))
    payload = stored
    if withheld := set(names) - shown:
        name = f"{type_.__name__}.public"
        schemas.components[name] = _without(schemas.components[type_.__name__], withheld)
        payload = reference(name)
    message: Schema = {
        "name": topic,
        "summary": words(type_),
        "headers": _headers(topic, full.headers, bare.headers),
        "payload": payload,
    }
    return Published(topic, words(type_), stored, message)


def _outgoing(topic: str, data: dict[str, str]) -> Outgoing | None:
    """What the relay makes of such an event; None: it is not published."""
    nobody = UUID(int=0)
    event = Recorded(
        position=1,
        id=nobody,
        stream=nobody,
        version=1,
        type=topic,
        time_us=0,
        data=msgspec.Raw(msgspec.json.encode(data)),
    )
    return next(PublicEvents("pool").messages([event], after=0), None)


def _headers(topic: str, full: Mapping[str, str], bare: Mapping[str, str]) -> Schema:
    attributes = CloudEvent.model_json_schema()["properties"]
    properties: Schema = {name: {"type": "string"} for name in full}
    for name, schema in properties.items():
        described = attributes.get(name.removeprefix(_PREFIX), {}).get("description")
        if described is not None:
            schema["description"] = described
    properties[_PREFIX + "type"]["const"] = topic
    return {
        "type": "object",
        "properties": properties | {POSITION_HEADER: _POSITION},
        "required": sorted(bare),
    }


def _without(schema: Schema, names: set[str]) -> Schema:
    return schema | {
        "properties": {k: v for k, v in schema["properties"].items() if k not in names},
        "required": [name for name in schema["required"] if name not in names],
    }


def sent(event_type: str, model: type[BaseModel], schemas: Schemas) -> dict[str, Schema]:
    """The messages in which a model arrives as data: structured and binary mode."""
    data, whole = schemas.of(model), schemas.of(CloudEvent)
    attributes = {
        _PREFIX + name: {"type": "string"} for name in CloudEvent.model_fields if name != "data"
    }
    required = [
        _PREFIX + name for name, field in CloudEvent.model_fields.items() if field.is_required()
    ]
    const = {"const": event_type}
    structured: Schema = {
        "name": f"{event_type} (structured)",
        "summary": words(model),
        "contentType": STRUCTURED,
        "payload": {
            "allOf": [whole, {"properties": {"type": const, "data": data}, "required": ["data"]}]
        },
    }
    binary: Schema = {
        "name": f"{event_type} (binary)",
        "summary": words(model),
        "headers": {
            "type": "object",
            "properties": attributes | {_PREFIX + "type": {"type": "string"} | const},
            "required": required,
        },
        "payload": data,
    }
    name = model.__name__
    return {f"{name}.structured": structured, f"{name}.binary": binary}
