"""What a crash at one point left behind."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import msgspec

from pointsman.contracts.events import TaskAccepted, TaskCompleted
from pointsman.contracts.message import Message
from pointsman.contracts.recorded import Recorded
from pointsman.contracts.topics import EventCodec
from pointsman.runtime.crashpoints import CrashPoint
from tests.e2e.live_stack import GRANTED

ACCEPTED: Final = "task.accepted.v1"


class MessageId(Message, frozen=True):
    """The field of `TaskAccepted` by which a sender finds its task."""

    message_id: str = ""


@dataclass(slots=True)
class Crash:
    """What became of one crash and of the tasks that were under way."""

    point: CrashPoint
    part: str
    status: int
    """Of the process; negative: the signal that ended it."""
    last_words: str
    """The line that names the point, from the log of the process."""
    tasks: dict[UUID, list[Recorded]]
    """The events of every task that was asked for, by each of its askers once."""
    asked: int
    events: list[Recorded]
    """The whole log, from its beginning; it grows with later crashes."""
    fed: list[Recorded]
    """The whole feed, from its beginning."""
    live_views: dict[str, list[tuple[object, ...]]]
    rebuilt_views: dict[str, list[tuple[object, ...]]]
    seconds: float = 0.0

    @property
    def attempts(self) -> Counter[UUID]:
        return Counter(
            {task: sum(e.type == GRANTED for e in events) for task, events in self.tasks.items()}
        )

    def wrong_results(self) -> list[UUID]:
        """Tasks whose result is not their payload, which is what `identity` gives back."""
        codec, wrong = EventCodec(), list[UUID]()
        for task, events in self.tasks.items():
            decoded = [codec.decode(event.type, bytes(event.data)) for event in events]
            payloads = [e.payload.digest for e in decoded if isinstance(e, TaskAccepted)]
            results = [e.result.digest for e in decoded if isinstance(e, TaskCompleted)]
            if len(payloads) != 1 or results != payloads:
                wrong.append(task)
        return wrong


def accepted_twice(events: Iterable[Recorded]) -> set[str]:
    """Ids of messages and commands that made more than one task."""
    ids = Counter(
        msgspec.json.decode(event.data, type=MessageId).message_id
        for event in events
        if event.type == ACCEPTED
    )
    return {id for id, times in ids.items() if times > 1}
