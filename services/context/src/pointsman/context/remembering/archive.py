"""Aggregates as they were: their stream folded up to a moment."""

from dataclasses import dataclass
from typing import Generic, TypeVar
from uuid import UUID

from eventsourcing.domain import Aggregate

from pointsman.context.domain.conversation import Conversation
from pointsman.context.domain.moments import Moment
from pointsman.context.domain.project import Project
from pointsman.eventstore.aggregates import AggregateTopics, WrongAggregateError
from pointsman.eventstore.ports import LogReader

AggregateT = TypeVar("AggregateT", bound=Aggregate)


def context_topics() -> AggregateTopics:
    """The aggregates of this service."""
    return AggregateTopics([Conversation, Project])


@dataclass(frozen=True, slots=True)
class Folded(Generic[AggregateT]):
    """An aggregate at a moment."""

    aggregate: AggregateT
    position: int
    """Log position of the last event that counted."""
    tenant: str
    """Whose words it refers to, as the log has it."""


class Archive:
    """Answers for any past moment; nothing is kept between questions."""

    def __init__(self, log: LogReader, topics: AggregateTopics) -> None:
        self._log = log
        self._topics = topics

    async def at(
        self, kind: type[AggregateT], stream: UUID, moment: Moment
    ) -> Folded[AggregateT] | None:
        """None: there was nothing yet. Raises `WrongAggregateError`."""
        aggregate: Aggregate | None = None
        position, tenant = 0, ""
        for recorded in await self._log.read_stream(stream):
            if not moment.admits(recorded):
                break
            aggregate = self._topics.event(recorded).mutate(aggregate)
            position, tenant = recorded.position, recorded.tenant
        if aggregate is None:
            return None
        if not isinstance(aggregate, kind):
            found = type(aggregate).__qualname__
            raise WrongAggregateError(stream, expected=kind.__qualname__, found=found)
        return Folded(aggregate, position, tenant)
