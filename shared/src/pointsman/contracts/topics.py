"""Registered topic names: what an event type is called in the log and on the bus."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

import msgspec

from pointsman.contracts import events
from pointsman.contracts.events import Decision


class UnknownTopicError(Exception):
    """A topic that no release of this reader has ever known."""

    code = "unknown_topic"

    def __init__(self, topic: str) -> None:
        super().__init__(
            f"event topic {topic!r} is not registered: upgrade this service, or check who wrote it"
        )
        self.topic = topic


class NewerVersionError(Exception):
    """A known topic in a version that was released after this reader."""

    code = "newer_version"

    def __init__(self, topic: str, *, known: int, found: int) -> None:
        super().__init__(
            f"event topic {topic!r} has version {found}, this reader knows up to {known}: "
            "upgrade this service; it resumes at this event"
        )
        self.topic = topic
        self.known = known
        self.found = found


class UnreadableEventError(Exception):
    """The bytes of an event do not fit its topic."""

    code = "unreadable_event"

    def __init__(self, topic: str, detail: str) -> None:
        super().__init__(f"event of topic {topic!r} cannot be read: {detail}")
        self.topic = topic


class NotSwitchableError(Exception):
    """A version that is to be written was never registered; the operator corrects the setting."""

    code = "version_not_known"

    def __init__(self, topics: Iterable[str]) -> None:
        named = ", ".join(sorted(topics))
        self.next_step = "Upgrade this service first, or take the name out of the setting."
        super().__init__(f"this release cannot write {named}. {self.next_step}")


TOPICS: Final[Mapping[str, type[Decision]]] = MappingProxyType(
    {
        "task.accepted.v1": events.TaskAccepted,
        "task.granted.v1": events.TaskGranted,
        "task.completed.v1": events.TaskCompleted,
        "task.failed.v1": events.TaskFailed,
        "task.cancelled.v1": events.TaskCancelled,
        "task.expired.v1": events.TaskExpired,
        "task.shed.v1": events.TaskShed,
        "task.abandoned.v1": events.TaskAbandoned,
        "task.attempt_failed.v1": events.AttemptFailed,
        "task.attempt_timed_out.v1": events.AttemptTimedOut,
        "task.attempt_lost.v1": events.AttemptLost,
        "task.checkpointed.v1": events.TaskCheckpointed,
        "task.hedged.v1": events.TaskHedged,
        "task.attempt_dropped.v1": events.AttemptDropped,
        "device.attached.v1": events.DeviceAttached,
        "device.detached.v1": events.DeviceDetached,
        "device.suspended.v1": events.DeviceSuspended,
        "device.resumed.v1": events.DeviceResumed,
        "device.slot_released.v1": events.SlotReleased,
        "device.residency_granted.v1": events.ResidencyGranted,
        "device.residency_changed.v1": events.ResidencyChanged,
        "device.residency_failed.v1": events.ResidencyFailed,
        "device.slot_held.v1": events.SlotHeld,
        "breaker.opened.v1": events.BreakerOpened,
        "breaker.closed.v1": events.BreakerClosed,
        "model.registered.v1": events.ModelRegistered,
        "pool.leader_elected.v1": events.LeaderElected,
        "pool.routing_changed.v1": events.RoutingChanged,
        "pool.policy_set.v1": events.PolicySet,
        "schedule.set.v1": events.ScheduleSet,
        "schedule.removed.v1": events.ScheduleRemoved,
        "schedule.paused.v1": events.SchedulePaused,
        "schedule.resumed.v1": events.ScheduleResumed,
        "schedule.fired.v1": events.ScheduleFired,
        "schedule.missed.v1": events.ScheduleMissed,
        "dead_letter.recorded.v1": events.DeadLetterRecorded,
        "dead_letter.redriven.v1": events.DeadLetterRedriven,
        "task.prepared.v1": events.TaskPrepared,
        "task.split_planned.v1": events.SplitPlanned,
        "task.parts_granted.v1": events.PartsGranted,
        "task.split.v1": events.TaskSplit,
        "device.sampled.v1": events.DeviceSampled,
        "device.canary_changed.v1": events.CanaryChanged,
        "forecast.made.v1": events.ForecastMade,
        "alert.raised.v1": events.AlertRaised,
        "alert.cleared.v1": events.AlertCleared,
        "degradation.level_changed.v1": events.LevelChanged,
        "degradation.override_set.v1": events.OverrideSet,
        "degradation.override_ended.v1": events.OverrideEnded,
        "degradation.fallback_started.v1": events.FallbackStarted,
        "degradation.fallback_ended.v1": events.FallbackEnded,
        "feedback.given.v1": events.FeedbackGiven,
        "feedback.withdrawn.v1": events.FeedbackWithdrawn,
        "quality.measured.v1": events.QualityMeasured,
        "quality.preference_changed.v1": events.PreferenceChanged,
        "quality.threshold_moved.v1": events.QualityThresholdMoved,
        "behaviour.measured.v1": events.BehaviourMeasured,
        "behaviour.priority_boosted.v1": events.PriorityBoosted,
        "behaviour.context_pool_grown.v1": events.ContextPoolGrown,
        "context.assembled.v1": events.ContextAssembled,
        "context.response_cached.v1": events.ResponseCached,
        "context.pool_resized.v1": events.ContextPoolResized,
        "task.held.v1": events.TaskHeld,
        "task.released.v1": events.TaskReleased,
        "task.rekeyed.v1": events.TaskRekeyed,
        "pool.paused.v1": events.PoolPaused,
        "pool.resumed.v1": events.PoolResumed,
        "pool.model_limited.v1": events.ModelLimited,
        "pool.residency_asked.v1": events.ResidencyAsked,
        "device.drain_started.v1": events.DrainStarted,
        "device.drain_ended.v1": events.DrainEnded,
        "tenant.set.v1": events.TenantSet,
    }
)
"""Every topic ever released, with the type that its newest release decodes to."""

AGGREGATE_TOPICS: Final = frozenset(
    {
        "project.created.v1",
        "project.decision_recorded.v1",
        "project.preference_recorded.v1",
        "conversation.started.v1",
        "conversation.turn_appended.v1",
    }
)
"""Topics whose bytes are written by the library that folds them; `EventCodec` does not read them,
and who folds structs passes over them."""

Change = Callable[[dict[str, object]], dict[str, object]]
"""Makes the document of one version from that of another. Pure; it may change what it is given."""

UPCASTERS: Final[Mapping[str, tuple[str, Change]]] = MappingProxyType({})
"""Old topic -> (next topic, change of the decoded document), applied until TOPICS has the topic."""

DOWNCASTERS: Final[Mapping[str, tuple[str, Change]]] = MappingProxyType({})
"""New topic -> (topic before it, change of the document), applied while it is not switched on.

A version stands here in the release that brings it, so that readers are upgraded before anything
new is written, and leaves in the next one.
"""

LATER_VERSIONS: Final = 16
"""A reader that asks for topics by name also asks for so many versions that it does not know."""

_VERSION: Final = re.compile(r"[1-9][0-9]{0,8}")


def version_of(topic: str) -> tuple[str, int]:
    """`task.accepted.v1` -> (`task.accepted`, 1); raises `UnknownTopicError` on another form."""
    name, _, suffix = topic.rpartition(".v")
    if not name or _VERSION.fullmatch(suffix) is None:
        raise UnknownTopicError(topic)
    return name, int(suffix)


class Written(NamedTuple):
    """An event as it is stored: `event` is what every reader will make of `state`."""

    topic: str
    state: bytes
    event: Decision


class EventCodec:
    """Turns events into their stored bytes and back; refuses what is not registered.

    A version with a downcaster is written only if `switched_on` names it. Raises
    `NotSwitchableError` when that names a version which this release does not know.
    """

    def __init__(
        self,
        topics: Mapping[str, type[Decision]] = TOPICS,
        upcasters: Mapping[str, tuple[str, Change]] = UPCASTERS,
        downcasters: Mapping[str, tuple[str, Change]] = DOWNCASTERS,
        switched_on: Collection[str] = (),
    ) -> None:
        self._encoder = msgspec.json.Encoder()
        self._decoders = {topic: msgspec.json.Decoder(type_) for topic, type_ in topics.items()}
        self._types = dict(topics)
        self._upcasters = upcasters
        self._downcasters = {
            topic: before for topic, before in downcasters.items() if topic not in switched_on
        }
        self._topic_of = {type_: topic for topic, type_ in topics.items()}
        self._newest: dict[str, int] = {}
        for topic in (*topics, *upcasters):
            name, version = version_of(topic)
            self._newest[name] = max(version, self._newest.get(name, 0))
        unknown = {topic for topic in switched_on if topic not in {*topics, *upcasters}}
        if unknown:
            raise NotSwitchableError(unknown)

    def topic(self, event: Decision) -> str:
        """The newest topic of an event; raises `UnknownTopicError`."""
        try:
            return self._topic_of[type(event)]
        except KeyError:
            raise UnknownTopicError(type(event).__qualname__) from None

    def encode(self, event: Decision) -> bytes:
        """UTF-8 JSON without spaces; an event that was decoded gives the same bytes again."""
        return self._encoder.encode(event)

    def written(self, event: Decision) -> Written:
        """The event in the version that is switched on; raises `UnknownTopicError`."""
        topic, state = self.topic(event), self._encoder.encode(event)
        if topic not in self._downcasters:
            return Written(topic, state, event)
        document = msgspec.json.decode(state, type=dict[str, object])
        while topic in self._downcasters:
            topic, change = self._downcasters[topic]
            document = change(document)
        state = self._encoder.encode(document)
        # The writer goes on with what was stored, not with what an older version cannot hold.
        return Written(topic, state, self.decode(topic, state))

    def names(self, types: Iterable[type[Decision]]) -> frozenset[str]:
        """The topics of event types, without version."""
        return frozenset(version_of(self._topic_of[type_])[0] for type_ in types)

    def versions(self, topics: Iterable[str]) -> frozenset[str]:
        """Every version of these topics: older ones are read, later ones stop the reader."""
        names = {version_of(topic)[0] for topic in topics}
        return frozenset(
            f"{name}.v{version}"
            for name in names
            for version in range(1, self._newest.get(name, 0) + LATER_VERSIONS + 1)
        )

    def decoder(self, topic: str) -> Callable[[bytes], Decision] | None:
        """What `decode` comes to for a topic of this release, for who decodes millions.

        It raises `msgspec.MsgspecError`. None: the topic is older, newer or unknown.
        """
        decoder = self._decoders.get(topic)
        return None if decoder is None else decoder.decode

    def decode(self, topic: str, state: bytes) -> Decision:
        """Raises `UnknownTopicError`, `NewerVersionError` or `UnreadableEventError`."""
        decoder = self._decoders.get(topic)
        try:
            if decoder is not None:
                return decoder.decode(state)
            return self._upcast(topic, state)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise UnreadableEventError(topic, str(error)) from error

    def _upcast(self, topic: str, state: bytes) -> Decision:
        # The topic first: the bytes of a newer version may not even be JSON.
        if topic not in self._upcasters:
            raise self._refusal(topic)
        document = msgspec.json.decode(state, type=dict[str, object])
        while topic not in self._types:
            if topic not in self._upcasters:
                raise self._refusal(topic)
            topic, change = self._upcasters[topic]
            document = change(document)
        # As JSON again, so that it is read by the rules that stored bytes are read by.
        return self._decoders[topic].decode(self._encoder.encode(document))

    def _refusal(self, topic: str) -> NewerVersionError | UnknownTopicError:
        name, version = version_of(topic)
        known = self._newest.get(name)
        if known is not None and version > known:
            return NewerVersionError(topic, known=known, found=version)
        return UnknownTopicError(topic)
