"""A service's own events and what its fold was given."""

from uuid import UUID

from pointsman.contracts.events import Decision
from pointsman.contracts.recorded import Recorded
from pointsman.eventstore.own_events import OwnEvents
from pointsman.eventstore.ports import EventStore, NewEvent
from tests.support.task_events import CODEC, cancelled, stream_of

OWN = ("task.cancelled.v1", "task.failed.v1")


class Fold:
    """What `evolve` was given, in that order; fails at the positions in `faults`."""

    def __init__(self) -> None:
        self.taken: list[tuple[int, Decision]] = []
        self.faults: set[int] = set()

    def evolve(self, recorded: Recorded, event: Decision) -> None:
        if recorded.position in self.faults:
            raise ValueError("a defect")
        self.taken.append((recorded.position, event))

    @property
    def positions(self) -> list[int]:
        return [position for position, _ in self.taken]


def events_of(store: EventStore, fold: Fold) -> OwnEvents:
    return OwnEvents(store, CODEC, OWN, fold.evolve)


def an_ending(stream: UUID, version: int) -> list[NewEvent]:
    return stream_of(stream, [cancelled(f"version {version}")], after=version - 1)
