"""Event types as people name them."""

from collections.abc import Sequence
from typing import Final

import typer

from pointsman.contracts.topics import AGGREGATE_TOPICS, TOPICS, UPCASTERS, version_of

_KNOWN: Final = (*TOPICS, *UPCASTERS, *sorted(AGGREGATE_TOPICS))


def topics_of(types: Sequence[str]) -> tuple[str, ...]:
    """The topics that types stand for; without its version a type is every version of it.

    Raises `typer.BadParameter`.
    """
    found: list[str] = []
    for type_ in types:
        fitting = [topic for topic in _KNOWN if type_ in (topic, _name(topic))]
        if not fitting:
            names = ", ".join(sorted({_name(topic) for topic in _KNOWN}))
            raise typer.BadParameter(f"there is no event type {type_!r}; the types are {names}")
        found += fitting
    return tuple(dict.fromkeys(found))


def _name(topic: str) -> str:
    return version_of(topic)[0]
