"""Two releases of one event type: the later one splits who cancelled a task into two fields."""

from types import MappingProxyType
from typing import Final

from pointsman.contracts.events import Decision, TaskCancelled
from pointsman.contracts.topics import TOPICS, Change, EventCodec

V1: Final = "task.cancelled.v1"
V2: Final = "task.cancelled.v2"


class CancelledByKind(Decision, frozen=True):
    """`TaskCancelled` as a later release might have it; nothing but tests knows it."""

    kind: str
    name: str
    reason: str
    attempt: int = 0
    ticket: str = ""
    """What the version before cannot hold."""


def _split(document: dict[str, object]) -> dict[str, object]:
    kind, _, name = str(document.pop("by")).partition(":")
    return {**document, "kind": kind, "name": name}


def _joined(document: dict[str, object]) -> dict[str, object]:
    document.pop("ticket", None)
    return {**document, "by": f"{document.pop('kind')}:{document.pop('name')}"}


_UP: Final[dict[str, tuple[str, Change]]] = {V1: (V2, _split)}
_DOWN: Final[dict[str, tuple[str, Change]]] = {V2: (V1, _joined)}
_TYPES: Final = MappingProxyType(
    {**{t: type_ for t, type_ in TOPICS.items() if t != V1}, V2: CancelledByKind}
)


def old_release() -> EventCodec:
    """Knows the first version only."""
    return EventCodec()


def new_release(*switched_on: str) -> EventCodec:
    """Reads both, and writes the second only if it is switched on."""
    return EventCodec(_TYPES, _UP, _DOWN, switched_on)


def next_release() -> EventCodec:
    """Reads both, and writes nothing but the second."""
    return EventCodec(_TYPES, _UP, {})


def cancelled_then() -> TaskCancelled:
    return TaskCancelled(at=1.0, applied_to=1, by="user:ada", reason="not needed")


def cancelled_now(ticket: str = "") -> CancelledByKind:
    return CancelledByKind(
        at=1.0, applied_to=1, kind="user", name="ada", reason="not needed", ticket=ticket
    )
