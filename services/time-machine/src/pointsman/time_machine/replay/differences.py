"""What was recorded beside what is decided now, field by field."""

from collections.abc import Sequence
from typing import Final, TypeGuard

import msgspec

from pointsman.contracts.decided import Decided
from pointsman.contracts.events import Decision
from pointsman.contracts.topics import TOPICS
from pointsman.time_machine.replay.appends import Append

NOTHING: Final = "nothing"
"""Stands for the side that has no event."""

TOPIC_OF: Final = {type_: topic for topic, type_ in TOPICS.items()}


class Difference(msgspec.Struct, frozen=True):
    """The first field of an event in which the log and the decision made again differ."""

    position: int
    type: str
    field: str
    """Dotted where it is a part of one; `event` where one side has none or one of another type,
    `version` where the stream stood elsewhere."""
    recorded: object
    decided: object


def differences(append: Append, decided: Decided | None) -> list[Difference]:
    """What is different; nothing if the same is decided again."""
    if decided is not None and append.events == decided.events:
        if decided.after + 1 == append.version:
            return []
        return [_difference(append, 0, "version", append.version, decided.after + 1)]
    again = () if decided is None else decided.events
    found: list[Difference] = []
    for index, event in enumerate(append.events):
        other = again[index] if index < len(again) else None
        if other != event:
            found.append(_compared(append, index, other))
    more = again[len(append.events) :]
    if more:
        found.append(_difference(append, -1, "event", NOTHING, _names(more)))
    return found


def _compared(append: Append, index: int, decided: Decision | None) -> Difference:
    event = append.events[index]
    if decided is None or type(decided) is not type(event):
        names = NOTHING if decided is None else _names([decided])
        return _difference(append, index, "event", _names([event]), names)
    recorded, again = msgspec.structs.asdict(event), msgspec.structs.asdict(decided)
    name = next(name for name, value in recorded.items() if again[name] != value)
    values = msgspec.to_builtins(recorded[name]), msgspec.to_builtins(again[name])
    return _difference(append, index, *_innermost(name, *values))


def _innermost(name: str, recorded: object, decided: object) -> tuple[str, object, object]:
    """The first value inside of two documents that makes them differ, under its dotted name."""
    if not _is_document(recorded) or not _is_document(decided):
        return name, recorded, decided
    keys = (key for key in recorded | decided if recorded.get(key) != decided.get(key))
    key = next(keys, None)
    if key is None:
        return name, recorded, decided
    return _innermost(f"{name}.{key}", recorded.get(key), decided.get(key))


def _is_document(value: object) -> TypeGuard[dict[str, object]]:
    return isinstance(value, dict)


def _names(events: Sequence[Decision]) -> str:
    return ", ".join(TOPIC_OF[type(event)] for event in events)


def _difference(
    append: Append, index: int, name: str, recorded: object, decided: object
) -> Difference:
    topic = TOPIC_OF[type(append.events[index])]
    return Difference(append.positions[index], topic, name, recorded, decided)
