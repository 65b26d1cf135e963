"""Events of a log for who folds it: what this release cannot read ends the fold, and says where."""

from collections.abc import Callable, Collection
from typing import Final

from pointsman.contracts.events import Decision
from pointsman.contracts.recorded import Recorded
from pointsman.contracts.topics import (
    AGGREGATE_TOPICS,
    TOPICS,
    EventCodec,
    NewerVersionError,
    UnknownTopicError,
    UnreadableEventError,
    version_of,
)
from pointsman.runtime.errors import FatalError

NEWER_EVENT: Final = "newer_event"
"""Code of whatever stopped at an event that a later release has written."""

VERIFY: Final = (
    "Run `pointsman verify`: it says whether the log is still what was written. If not, restore a "
    "backup"
)
"""What to do about events that are missing or cannot be read."""

_KNOWN: Final = frozenset(version_of(topic)[0] for topic in (*TOPICS, *AGGREGATE_TOPICS))


class NewerEventError(FatalError):
    """The log holds an event of a later release; the operator upgrades, nothing is lost."""

    code = NEWER_EVENT

    def __init__(self, recorded: Recorded) -> None:
        super().__init__(
            f"{recorded.type} at position {recorded.position} was written by a newer release.",
            next_step="Upgrade Pointsman here and start it again: it goes on at that position.",
        )
        self.position = recorded.position
        self.topic = recorded.type


class DamagedEventError(FatalError):
    """The stored bytes of an event do not fit its topic; the operator restores the log."""

    code = UnreadableEventError.code

    def __init__(self, recorded: Recorded, error: UnreadableEventError) -> None:
        super().__init__(
            f"{recorded.type} at position {recorded.position} cannot be read: {error}.",
            next_step=f"{VERIFY}; if it is, its writer has a defect.",
        )
        self.position = recorded.position
        self.topic = recorded.type


def read_event(codec: EventCodec, recorded: Recorded) -> Decision:
    """Decode one event; raises `NewerEventError` and `DamagedEventError`."""
    try:
        return codec.decode(recorded.type, bytes(recorded.data))
    except (NewerVersionError, UnknownTopicError):
        raise NewerEventError(recorded) from None
    except UnreadableEventError as error:
        raise DamagedEventError(recorded, error) from error


def concerns(names: Collection[str]) -> Callable[[str], bool]:
    """Tell topics that a reader of `names` must look at: these, and what nobody here knows.

    `names` are topics without version. A later version of what the reader passes over anyway is no
    reason to stop it.
    """
    wanted = frozenset(names)
    seen: dict[str, bool] = {}

    def concern(topic: str) -> bool:
        known = seen.get(topic)
        if known is None:
            name = topic.rpartition(".v")[0]
            known = seen[topic] = name in wanted or name not in _KNOWN
        return known

    return concern
