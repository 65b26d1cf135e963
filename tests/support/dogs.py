"""A small aggregate of the `eventsourcing` library, as a project-state stream would have."""

from uuid import NAMESPACE_URL, UUID, uuid5

from eventsourcing.domain import Aggregate, event


class Dog(Aggregate):
    TOPIC = "dog.v1"

    class Event(Aggregate.Event):
        """The library asks for it."""

    class Created(Event, Aggregate.Created):
        """The first event."""

        TOPIC = "dog.created.v1"
        name: str

    class TrickAdded(Event):
        """A later event."""

        TOPIC = "dog.trick_added.v1"
        trick: str

    @event(Created)
    def __init__(self, name: str) -> None:
        self.name = name
        self.tricks: list[str] = []

    @event(TrickAdded)
    def add_trick(self, trick: str) -> None:
        self.tricks.append(trick)

    @staticmethod
    def create_id(name: str) -> UUID:
        return uuid5(NAMESPACE_URL, f"/dogs/{name}")


class Cat(Aggregate):
    TOPIC = "cat.v1"

    class Event(Aggregate.Event):
        """The library asks for it."""

    class Created(Event, Aggregate.Created):
        """The first event."""

        TOPIC = "cat.created.v1"

    @event(Created)
    def __init__(self) -> None:
        pass
