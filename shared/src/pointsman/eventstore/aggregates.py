"""Project-state streams: aggregates of the `eventsourcing` library, stored in our log.

The library resolves a topic by importing what it names, so a row in the table could load any
module. Here a topic is looked up in a registry of classes that were given explicitly, and
refused if it is not there.
"""

from collections.abc import Callable, Iterable
from typing import TypeVar, cast
from uuid import UUID

import uuid_utils.compat
from eventsourcing.domain import Aggregate, AggregateEvent, CanInitAggregate
from eventsourcing.persistence import (
    DatetimeAsISO,
    DecimalAsStr,
    JSONTranscoder,
    Mapper,
    StoredEvent,
    UUIDAsHex,
)

from pointsman.contracts.events import Decision
from pointsman.contracts.recorded import Recorded
from pointsman.contracts.topics import NewerVersionError, UnknownTopicError, version_of
from pointsman.eventstore.ports import (
    Append,
    AppendAnswer,
    Command,
    EventStore,
    Leadership,
    NewEvent,
)

AggregateT = TypeVar("AggregateT", bound=Aggregate)


class AggregateChanged(Decision, frozen=True):
    """What commit listeners get for an event of an aggregate: the library's event as it is."""

    event: AggregateEvent


class WrongAggregateError(Exception):
    """A stream holds another kind of aggregate; a defect of the caller."""

    code = "wrong_aggregate"

    def __init__(self, stream: UUID, *, expected: str, found: str) -> None:
        super().__init__(f"stream {stream} holds {found}, not {expected}: load it as {found}")
        self.stream = stream
        self.expected = expected
        self.found = found


class AggregateTopics:
    """The aggregate classes that a repository may load, with their events.

    Every class and each of its events states its registered name in `TOPIC`, such as
    `project.created.v1`; the library refuses a class with a `TOPIC` whose events have none.
    """

    def __init__(self, aggregates: Iterable[type[Aggregate]]) -> None:
        self._aggregates = {_topic(kind): kind for kind in aggregates}
        self._events = {
            _topic(event): event
            for kind in self._aggregates.values()
            for name, event in vars(kind).items()
            if name != "Event" and isinstance(event, type) and issubclass(event, AggregateEvent)
        }
        transcoder = JSONTranscoder()
        for transcoding in (UUIDAsHex(), DecimalAsStr(), DatetimeAsISO()):
            transcoder.register(transcoding)
        self._mapper: Mapper[UUID] = Mapper(transcoder)

    def stored(self, event: AggregateEvent) -> StoredEvent:
        """Raises `UnknownTopicError` for an event that is not registered."""
        if self._events.get(_topic(type(event))) is not type(event):
            raise UnknownTopicError(_topic(type(event)))
        return self._mapper.to_stored_event(event)

    def event(self, recorded: Recorded) -> AggregateEvent:
        """Raises `UnknownTopicError`, `NewerVersionError` and the library's mapper errors."""
        self._require(recorded.type)
        event = self._mapper.to_domain_event(
            StoredEvent(recorded.stream, recorded.version, recorded.type, bytes(recorded.data))
        )
        if isinstance(event, CanInitAggregate):
            # The first event names its aggregate's class, which the library resolves as well.
            topic = cast("object", event.originator_topic)
            if topic not in self._aggregates:
                raise UnknownTopicError(str(topic))
        return cast("AggregateEvent", event)

    def _require(self, topic: str) -> None:
        if topic in self._events:
            return
        name, found = version_of(topic)
        known = max((v for n, v in map(version_of, self._events) if n == name), default=0)
        if 0 < known < found:
            raise NewerVersionError(topic, known=known, found=found)
        raise UnknownTopicError(topic)


class Repository:
    """Loads and saves aggregates; the stream id is the aggregate's id."""

    def __init__(
        self,
        store: EventStore,
        topics: AggregateTopics,
        *,
        new_id: Callable[[], UUID] = uuid_utils.compat.uuid7,
    ) -> None:
        self._store = store
        self._topics = topics
        self._new_id = new_id

    async def get(self, kind: type[AggregateT], id: UUID) -> AggregateT | None:
        """The aggregate as of the last commit, None if there is none."""
        aggregate = await self._load(id)
        if aggregate is None or isinstance(aggregate, kind):
            return aggregate
        raise WrongAggregateError(
            id, expected=kind.__qualname__, found=type(aggregate).__qualname__
        )

    async def _load(self, id: UUID) -> Aggregate | None:
        aggregate: Aggregate | None = None
        for recorded in await self._store.read_stream(id):
            aggregate = self._topics.event(recorded).mutate(aggregate)
        return aggregate

    def changes(self, *aggregates: Aggregate, tenant: str = "") -> tuple[NewEvent, ...]:
        """Take the new events out of the aggregates; their ids stay when an append is repeated."""
        return tuple(
            self._new_event(cast("AggregateEvent", event), tenant)
            for aggregate in aggregates
            for event in aggregate.collect_events()
        )

    async def save(
        self,
        *aggregates: Aggregate,
        tenant: str = "",
        command: Command | None = None,
        leadership: Leadership | None = None,
    ) -> AppendAnswer:
        """Append the changes of all aggregates together.

        After any answer but `Appended` load the aggregates again. When the append is in doubt
        (`LogUnavailableError`), too; a caller who wants to repeat it uses `changes`.
        """
        events = self.changes(*aggregates, tenant=tenant)
        return await self._store.append(Append(events, command, leadership))

    def _new_event(self, event: AggregateEvent, tenant: str) -> NewEvent:
        stored = self._topics.stored(event)
        return NewEvent(
            id=self._new_id(),
            stream=event.originator_id,
            version=event.originator_version,
            topic=stored.topic,
            state=stored.state,
            event=AggregateChanged(at=event.timestamp.timestamp(), applied_to=0, event=event),
            tenant=tenant,
        )


def _topic(kind: type) -> str:
    topic: object = getattr(kind, "TOPIC", None)
    if not isinstance(topic, str):
        raise UnknownTopicError(kind.__qualname__)
    return topic
