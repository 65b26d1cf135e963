"""A project: decisions with their reasons, and preferences; words by reference."""

from datetime import UTC, datetime
from uuid import UUID

import msgspec
from eventsourcing.domain import Aggregate

from pointsman.contracts.message import BlobRef, Message
from pointsman.contracts.streams import stream_id


class MadeDecision(Message, frozen=True):
    """What was decided, and where the reason lies."""

    title: str
    reason: BlobRef
    by: str
    at: float


class Preference(Message, frozen=True):
    """What somebody prefers, and where the value lies."""

    key: str
    value: BlobRef
    by: str
    at: float


def project_id(tenant: str, name: str) -> UUID:
    """The stream of a project."""
    return stream_id("project", name, tenant)


class Project(Aggregate):
    """Decisions in their order, and the last value of each preference."""

    TOPIC = "project.v1"

    class Event(Aggregate.Event):
        """The library asks for it."""

    class Created(Event, Aggregate.Created):
        """Somebody wrote the first entry, or the first conversation of the project has begun."""

        TOPIC = "project.created.v1"
        tenant: str
        name: str

    class DecisionRecorded(Event):
        """Something was decided, for a reason."""

        TOPIC = "project.decision_recorded.v1"
        decision: dict[str, object]

        def apply(self, aggregate: "Project") -> None:
            aggregate.decisions.append(msgspec.convert(self.decision, MadeDecision))

    class PreferenceRecorded(Event):
        """A key has a new value."""

        TOPIC = "project.preference_recorded.v1"
        preference: dict[str, object]

        def apply(self, aggregate: "Project") -> None:
            preference = msgspec.convert(self.preference, Preference)
            aggregate.preferences[preference.key] = preference

    def __init__(self, tenant: str, name: str) -> None:
        self.tenant = tenant
        self.name = name
        self.decisions: list[MadeDecision] = []
        self.preferences: dict[str, Preference] = {}

    @classmethod
    def create(cls, tenant: str, name: str, *, at: float) -> "Project":
        return cls._create(
            cls.Created,
            id=project_id(tenant, name),
            timestamp=datetime.fromtimestamp(at, UTC),
            tenant=tenant,
            name=name,
        )

    def decide(self, decision: MadeDecision) -> None:
        self.trigger_event(
            self.DecisionRecorded,
            decision=msgspec.to_builtins(decision),
            timestamp=datetime.fromtimestamp(decision.at, UTC),
        )

    def prefer(self, preference: Preference) -> None:
        self.trigger_event(
            self.PreferenceRecorded,
            preference=msgspec.to_builtins(preference),
            timestamp=datetime.fromtimestamp(preference.at, UTC),
        )
