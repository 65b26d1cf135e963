"""The fold of the service's own events, and the events that still have to follow from it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final
from uuid import UUID

from pointsman.contracts import events
from pointsman.contracts.events import Decision, MeasuredQuality
from pointsman.contracts.recorded import Recorded
from pointsman.contracts.streams import stream_id
from pointsman.feedback.domain.behaviour import STEPS, Behaviour
from pointsman.feedback.domain.lessons import Lesson, Tally
from pointsman.feedback.domain.ratings import Rating, Ratings

TOPICS: Final = (
    "feedback.given.v1",
    "feedback.withdrawn.v1",
    "quality.measured.v1",
    "quality.preference_changed.v1",
    "quality.threshold_moved.v1",
    "behaviour.measured.v1",
    "behaviour.priority_boosted.v1",
    "behaviour.context_pool_grown.v1",
)
"""What this service alone writes."""

MIN_FAMILY_RATINGS: Final = 20
"""Before a family's average moves its threshold."""
_THRESHOLD_SHARE: Final = 0.5
_DEAD_BAND: Final = 0.75 / STEPS
"""A threshold on the edge between two steps stays where it is."""

Registry = Mapping[str, Sequence[str]]
"""Family -> its variants, best registered quality first."""

FollowUp = tuple[UUID, Decision]
"""A stream with the event that is due on it."""


@dataclass(slots=True)
class Learned:
    """All that decisions stand on."""

    ratings: Ratings = field(default_factory=Ratings)
    quality: dict[str, events.QualityMeasured] = field(
        default_factory=dict[str, events.QualityMeasured]
    )
    """By variant."""
    preferences: dict[str, events.PreferenceChanged] = field(
        default_factory=dict[str, events.PreferenceChanged]
    )
    """By family."""
    thresholds: dict[str, events.QualityThresholdMoved] = field(
        default_factory=dict[str, events.QualityThresholdMoved]
    )
    """By family."""
    behaviour: dict[str, Behaviour] = field(default_factory=dict[str, Behaviour])
    """By pool."""

    def evolve(self, recorded: Recorded, event: Decision) -> None:
        """Take one committed event of `TOPICS`."""
        match event:
            case events.FeedbackGiven():
                self.ratings.give(
                    Rating(recorded.stream, recorded.tenant, recorded.position, event)
                )
            case events.FeedbackWithdrawn():
                self.ratings.withdraw(recorded.stream, event)
            case events.QualityMeasured():
                self.quality[event.measured.variant] = event
            case events.PreferenceChanged():
                self.preferences[event.family] = event
            case events.QualityThresholdMoved():
                self.thresholds[event.family] = event
            case events.BehaviourMeasured():
                self.behaviour_of(event.pool).measured = event
            case events.PriorityBoosted():
                self.behaviour_of(event.pool).boosted = event
            case events.ContextPoolGrown():
                self.behaviour_of(event.pool).grown = event
            case _:
                # Nothing else has one of the topics.
                return

    def behaviour_of(self, pool: str) -> Behaviour:
        return self.behaviour.setdefault(pool, Behaviour())

    def order(self, family: str) -> tuple[str, ...]:
        """The recorded preference; empty: none."""
        changed = self.preferences.get(family)
        return () if changed is None else changed.order

    def threshold(self, family: str) -> float:
        """The recorded threshold."""
        moved = self.thresholds.get(family)
        return 0.0 if moved is None else moved.threshold

    def follow_ups(self, registry: Registry, *, at: float, applied_to: int) -> Iterator[FollowUp]:
        """Events that the ratings demand and that are not recorded yet."""
        for family in self.ratings.families:
            lesson = self.ratings.lesson(family)
            yield from self._measured(family, lesson, at, applied_to)
            if family in registry:
                yield from self._preferred(family, lesson, registry[family], at, applied_to)
            yield from self._moved(family, lesson, at, applied_to)

    def _measured(
        self, family: str, lesson: Lesson, at: float, applied_to: int
    ) -> Iterator[FollowUp]:
        for variant in sorted(self.ratings.variants(family)):
            now = measured_quality(variant, lesson.tallies.get(variant, Tally()))
            before = self.quality.get(variant)
            if before is None and not now.ratings:
                continue
            if before is None or _shown(before.measured) != _shown(now):
                yield (
                    stream_id("quality", variant),
                    events.QualityMeasured(
                        at=at, applied_to=applied_to, family=family, measured=now
                    ),
                )

    def _preferred(
        self, family: str, lesson: Lesson, registered: Sequence[str], at: float, applied_to: int
    ) -> Iterator[FollowUp]:
        before, order = self.order(family), lesson.order(registered)
        if order != before:
            rated = [name for name in registered if name in lesson.tallies]
            yield (
                stream_id("preference", family),
                events.PreferenceChanged(
                    at=at,
                    applied_to=applied_to,
                    family=family,
                    before=before,
                    order=order,
                    measured=tuple(measured_quality(name, lesson.tallies[name]) for name in rated),
                    reason=_reason(order, registered, lesson),
                ),
            )

    def _moved(self, family: str, lesson: Lesson, at: float, applied_to: int) -> Iterator[FollowUp]:
        before, threshold = self.threshold(family), 0.0
        average = lesson.average or 0.0
        if lesson.ratings >= MIN_FAMILY_RATINGS:
            exact = _THRESHOLD_SHARE * average
            moved = abs(exact - before) >= _DEAD_BAND
            threshold = round(exact * STEPS) / STEPS if moved else before
        if threshold != before:
            yield (
                stream_id("threshold", family),
                events.QualityThresholdMoved(
                    at=at,
                    applied_to=applied_to,
                    family=family,
                    before=before,
                    threshold=threshold,
                    average=average,
                    ratings=lesson.ratings,
                ),
            )


def measured_quality(variant: str, tally: Tally) -> MeasuredQuality:
    """A tally as it is recorded."""
    low, high = tally.interval
    return MeasuredQuality(
        variant=variant, ratings=tally.ratings, mean=tally.mean, low=low, high=high
    )


def _shown(measured: MeasuredQuality) -> tuple[int, float, float]:
    return measured.ratings, round(measured.low, 2), round(measured.high, 2)


def _reason(order: Sequence[str], registered: Sequence[str], lesson: Lesson) -> str:
    if not order:
        return "no variant is measurably better than one that the registry puts before it"
    rank = {variant: place for place, variant in enumerate(registered)}
    better, worse = next(
        (first, second) for first, second in pairwise(order) if rank[first] > rank[second]
    )
    return f"{_words(better, lesson)} is rated better than {_words(worse, lesson)}"


def _words(variant: str, lesson: Lesson) -> str:
    tally = lesson.tallies[variant]
    low, high = tally.interval
    return f"{variant} ({tally.mean:.2f}, {low:.2f} to {high:.2f}, {tally.ratings} ratings)"
