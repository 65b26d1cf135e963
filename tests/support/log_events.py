"""Events, appends and a clock for tests of the log."""

from collections.abc import Sequence
from uuid import UUID, uuid4

import msgspec

from pointsman.contracts.events import TaskCancelled
from pointsman.eventstore.ports import Append, Command, NewEvent

TOPIC = "task.cancelled.v1"
NOON_US = 1_767_268_800_000_000


class ManualClock:
    """Microseconds since the epoch; stands still until it is set."""

    def __init__(self, now_us: int = NOON_US) -> None:
        self.now_us = now_us

    def __call__(self) -> int:
        return self.now_us


def an_event(
    stream: UUID,
    version: int,
    *,
    id: UUID | None = None,
    topic: str = TOPIC,
    tenant: str = "acme",
    reason: str = "",
) -> NewEvent:
    event = TaskCancelled(at=1.5, applied_to=0, by="a test", reason=reason)
    state = msgspec.json.encode(event)
    return NewEvent(id or uuid4(), stream, version, topic, state, event, tenant)


def some_events(stream: UUID, versions: Sequence[int]) -> Append:
    return Append([an_event(stream, version) for version in versions])


def a_command(
    message_id: str, *, request: bytes = b"request", reply: bytes = b"reply", tenant: str = "acme"
) -> Command:
    return Command("scheduler", tenant, message_id, request, reply)
