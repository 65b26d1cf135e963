"""docker-compose.yml as a container engine reads it: parsed, anchors merged, variables known."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from ruamel.yaml import YAML

from tests.architecture.source_tree import ROOT

COMPOSE_FILE: Final = ROOT / "docker-compose.yml"

_REFERENCE: Final = re.compile(r"\$\{(?P<name>\w+)(?::(?P<kind>[-?])(?P<text>[^}]*))?\}")


@dataclass(frozen=True)
class Reference:
    """`${NAME:?text}` demands a variable, `${NAME:-text}` has a default."""

    name: str
    kind: str
    text: str


def compose() -> dict[str, Any]:
    """The whole file; a key that stands twice is an error."""
    document = cast("object", YAML(typ="safe", pure=True).load(COMPOSE_FILE))
    return cast("dict[str, Any]", document)


def services() -> dict[str, dict[str, Any]]:
    return cast("dict[str, dict[str, Any]]", compose()["services"])


def own_services() -> dict[str, dict[str, Any]]:
    """Those that run a package of ours, by the name of their block."""
    return {name: block for name, block in services().items() if "build" in block}


def references(value: object) -> list[Reference]:
    """Every variable below `value`; raises `ValueError` for another `$`."""
    if isinstance(value, Mapping):
        return references(list(cast("Mapping[object, object]", value).values()))
    if isinstance(value, list):
        return [found for item in cast("list[object]", value) for found in references(item)]
    text = str(value)
    if "$" in _REFERENCE.sub("", text):
        raise ValueError(f"{text!r} holds a $ that is no reference to a variable")
    return [
        Reference(found["name"], found["kind"] or "", found["text"] or "")
        for found in _REFERENCE.finditer(text)
    ]


def environment(service: str, variables: Mapping[str, str]) -> dict[str, str]:
    """What a container of the service gets; raises `KeyError` for a variable that is missing."""

    def value(found: re.Match[str]) -> str:
        name = found["name"]
        return variables.get(name, found["text"]) if found["kind"] == "-" else variables[name]

    stated = cast("dict[str, str]", services()[service]["environment"])
    return {name: _REFERENCE.sub(value, text) for name, text in stated.items()}
