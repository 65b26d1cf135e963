"""The tables of docs/messages.md."""

import inspect
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from itertools import groupby
from types import NoneType, UnionType
from typing import Annotated, Union, get_args, get_origin

import msgspec
from pydantic import BaseModel

from pointsman.contracts.message import Message
from pointsman.contracts.topics import AGGREGATE_TOPICS, TOPICS
from tests.architecture.bus import INBOXES, Route, logins, routes
from tests.architecture.message_types import (
    Schema,
    Schemas,
    enums,
    field_words,
    list_item,
    structs,
    union_name,
    unions,
    words,
)

_HEAD = ["| field | type | required | meaning |", "|---|---|---|---|"]
_LIMITS = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "maxLength": "at most {} characters",
    "maxProperties": "at most {} entries",
}


def inbox_tables() -> str:
    """What other systems send."""
    return "\n\n".join(
        f"### `{event_type}`\n\nOn `{_shown(address)}`. {words(model)}\n\n{_model_table(model)}"
        for address, (event_type, model) in INBOXES.items()
    )


def _model_table(model: type[BaseModel]) -> str:
    schema = model.model_json_schema()
    rows = [
        f"| `{name}` | {type_words(field.annotation)} | {'yes' if field.is_required() else ''} "
        f"| {_meaning(schema['properties'][name])} |"
        for name, field in model.model_fields.items()
    ]
    return "\n".join([*_HEAD, *rows])


def _meaning(schema: Schema) -> str:
    choices: list[Schema] = schema.get("anyOf", [])
    inner = next((each for each in choices if each.get("type") != "null"), Schema())
    limits = [
        text.format(value)
        for name, text in _LIMITS.items()
        if (value := schema.get(name, inner.get(name))) is not None
    ]
    if schema.get("default") not in (None, "", {}):
        limits.append(f"default {schema['default']}")
    return "; ".join(part for part in [schema.get("description", "").rstrip("."), *limits] if part)


def event_tables() -> str:
    """Every topic below the name of what it is about."""
    of = {topic: topic.partition(".")[0] for topic in [*TOPICS, *sorted(AGGREGATE_TOPICS)]}
    first = {about: place for place, about in reversed([*enumerate(of.values())])}
    ordered = sorted(of, key=lambda topic: first[of[topic]])
    parts: list[str] = []
    for about, topics in groupby(ordered, key=lambda topic: of[topic]):
        parts.append(f"### {about.replace('_', ' ').capitalize()}")
        parts += [_event(topic) for topic in topics]
    return "\n\n".join(parts)


def _event(topic: str) -> str:
    if topic in AGGREGATE_TOPICS:
        return f"#### `{topic}`\n\nIts bytes are those of the library that folds it."
    type_ = TOPICS[topic]
    return "\n".join([f"#### `{topic}`", "", words(type_), "", *_table(type_)])


def subject_table() -> str:
    """What services take: each subject with its message, its answer and who may send it."""
    takers: dict[str, list[Route]] = {}
    for route in sorted(routes(), key=lambda route: route.address):
        takers.setdefault(route.address, []).append(route)
    rows = [_subject(address, taking) for address, taking in takers.items()]
    head = ["| subject | message | answer | taken by | may send |", "|---|---|---|---|---|"]
    return "\n".join([*head, *rows])


def _subject(address: str, taking: Sequence[Route]) -> str:
    route = taking[0]
    cells = [
        f"`{_shown(address)}`",
        type_words(route.request),
        "" if route.reply is None else type_words(route.reply),
        ", ".join(each.service for each in taking),
        ", ".join(login.name for login in logins() if login.may_send(address)),
    ]
    return f"| {' | '.join(cells)} |"


def type_tables() -> str:
    """Every message that is no event, and every type inside of one, by the module it stands in."""
    schemas = Schemas()
    for each in (*(route.request for route in routes()), *_replies(), *TOPICS.values()):
        schemas.of(each)
    found = [
        (type_.__module__, name, _folded(type_))
        for name, type_ in structs().items()
        if type_ not in TOPICS.values()
        and (name in schemas.components or type_ in _members(_replies()))
    ]
    found += [
        (type_.__module__, name, _enumeration(type_))
        for name, type_ in enums().items()
        if name in schemas.components
    ]
    parts: list[str] = [_unions()]
    for module, inside in groupby(sorted(found), key=lambda each: each[0]):
        parts.append(f"### `{module.removeprefix('pointsman.contracts.')}`")
        parts += [text for _, _, text in inside]
    return "\n\n".join(parts)


def _unions() -> str:
    """What may stand for each other, told apart by a field of each."""
    return "\n".join(
        [
            "| one of | told apart by | types |",
            "|---|---|---|",
            *(
                f"| {name} | `{members[0].__struct_config__.tag_field}` | "
                f"{', '.join(each.__name__ for each in members)} |"
                for name, members in sorted(unions().items())
            ),
        ]
    )


def _enumeration(type_: type[StrEnum]) -> str:
    summary = f"<summary><code>{type_.__name__}</code> {_html(words(type_))}</summary>"
    values = ", ".join(f"`{each.value}`" for each in type_)
    return "\n".join(["<details>", summary, "", f"One of {values}.", "", "</details>"])


def _replies() -> Iterator[object]:
    yield from (route.reply for route in routes() if route.reply is not None)


def _members(types: Iterable[object]) -> set[object]:
    items = [list_item(type_) or type_ for type_ in types]
    return {member for item in items for member in (item, *get_args(item))}


def _folded(type_: type[Message]) -> str:
    summary = f"<summary><code>{type_.__name__}</code> {_html(words(type_))}</summary>"
    table = _table(type_) if msgspec.structs.fields(type_) else ["No fields."]
    return "\n".join(["<details>", summary, "", *table, "", "</details>"])


def _html(text: str) -> str:
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"`([^`]*)`", r"<code>\1</code>", escaped)


def _table(type_: type[Message]) -> list[str]:
    meant = field_words(type_)
    tag = type_.__struct_config__.tag
    tagged = [f"| `{type_.__struct_config__.tag_field}` | `{tag}` | yes |  |"] if tag else []
    return [*_HEAD, *tagged, *_rows(msgspec.structs.fields(type_), meant)]


def _rows(fields: Iterable[msgspec.structs.FieldInfo], meant: Mapping[str, str]) -> Iterator[str]:
    for field in fields:
        text = meant.get(field.name, "").replace("|", "or")
        required = "yes" if field.required else ""
        yield f"| `{field.encode_name}` | {type_words(field.type)} | {required} | {text} |"


def type_words(type_: object) -> str:
    """A type as a cell of a table shows it, unions by their name in the contracts."""
    origin, inner = get_origin(type_), get_args(type_)
    if origin is Annotated:
        return type_words(inner[0])
    if origin in {Union, UnionType}:
        members = [each for each in inner if each is not NoneType]
        named = any(issubclass(each, Message) for each in members if inspect.isclass(each))
        if named and len(members) > 1:
            names = [union_name(members)]
        else:
            names = [type_words(each) for each in members]
        return " or ".join(names + ["None"] * (NoneType in inner))
    if origin is not None:
        within = ", ".join("..." if each is ... else type_words(each) for each in inner)
        return f"{origin.__name__}[{within}]"
    return type_.__name__ if inspect.isclass(type_) else str(type_)


def _shown(address: str) -> str:
    return address.replace("{", "<").replace("}", ">")
