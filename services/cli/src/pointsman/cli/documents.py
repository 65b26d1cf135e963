"""Messages as JSON documents with every field present, whatever its value."""

import json
from collections.abc import Mapping
from enum import Enum
from typing import cast
from uuid import UUID

import msgspec

from pointsman.contracts.message import Message


def document(message: Message) -> dict[str, object]:
    """A message as a JSON object; ids are text, stored bytes of events are their document."""
    return {
        field.name: _plain(cast("object", getattr(message, field.name)))
        for field in msgspec.structs.fields(message)
    }


def _plain(value: object) -> object:
    found = value
    match value:
        case Message():
            found = document(value)
        case UUID():
            found = str(value)
        case Enum():
            found = cast("object", value.value)
        case msgspec.Raw():
            found = cast("object", json.loads(bytes(value)))
        case tuple() | list():
            found = [_plain(item) for item in cast("list[object]", value)]
        case Mapping():
            items = cast("Mapping[str, object]", value).items()
            found = {name: _plain(item) for name, item in items}
        case _:
            pass
    return found
