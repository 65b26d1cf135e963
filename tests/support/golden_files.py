"""Golden files: a JSON list of stored documents whose bytes must never be read differently."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, cast

import msgspec

DATA: Final = Path(__file__).resolve().parents[1] / "data"


def golden_names(folder: str) -> set[str]:
    return {path.name.removesuffix(".json") for path in (DATA / folder).iterdir()}


def golden_documents(folder: str, name: str) -> list[bytes]:
    """The documents of one file, byte for byte as they stand in it."""
    content = (DATA / folder / f"{name}.json").read_bytes()
    return [bytes(document) for document in msgspec.json.decode(content, type=list[msgspec.Raw])]


def written_fields(value: object, document: object) -> Iterator[tuple[str, str, bool]]:
    """Yields type, field and whether it is written, for every optional field in a document."""
    if isinstance(value, msgspec.Struct):
        there = cast("Mapping[str, object]", document)
        kind: type[msgspec.Struct] = type(value)
        for field in msgspec.structs.fields(kind):
            if not field.required:
                yield kind.__name__, field.name, field.encode_name in there
            if field.encode_name in there:
                inner: object = getattr(value, field.name)
                yield from written_fields(inner, there[field.encode_name])
    elif isinstance(value, tuple | list) and isinstance(document, list):
        pairs = zip(cast("tuple[Any, ...]", value), cast("list[Any]", document), strict=True)
        for item, part in pairs:
            yield from written_fields(item, part)


def half_covered(fields: Iterator[tuple[str, str, bool]]) -> set[str]:
    """Returns the optional fields that were not met both written and left out."""
    met: dict[str, set[bool]] = {}
    for kind, name, written in fields:
        met.setdefault(f"{kind}.{name}", set()).add(written)
    return {field for field, ways in met.items() if ways != {True, False}}
