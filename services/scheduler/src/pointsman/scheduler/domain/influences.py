"""What other services have recorded and this pool's decisions stand on."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from pointsman.contracts import events
from pointsman.contracts.events import Cause, Decision
from pointsman.contracts.levels import Level
from pointsman.contracts.message import PriorityClass
from pointsman.contracts.topics import TOPICS

SHED_AT_ONCE: Final = frozenset({PriorityClass.BACKGROUND})
SHED_LATER: Final = frozenset({PriorityClass.BACKGROUND, PriorityClass.BATCH})
SHED_LATER_AFTER_S: Final = 10.0
"""The next class is refused only when refusing the lowest has not been enough for so long."""

_TOPIC_OF: Final = {type_: topic for topic, type_ in TOPICS.items()}


EventT = TypeVar("EventT", bound=Decision)


@dataclass(frozen=True, slots=True)
class Standing(Generic[EventT]):
    """An event that holds until a later one, with its position in the log."""

    event: EventT
    position: int

    def cause(self, detail: str) -> Cause:
        """Cite it in a decision."""
        return Cause(topic=_TOPIC_OF[type(self.event)], position=self.position, detail=detail)


class Influences:
    """The standing events of degradation, feedback and the resource monitor, for one pool."""

    def __init__(self, pool: str) -> None:
        self._pool = pool
        self.standing_level: Standing[events.LevelChanged] | None = None
        self.standing_boost: Standing[events.PriorityBoosted] | None = None
        self.fallbacks: dict[str, Standing[events.FallbackStarted]] = {}
        """By the variant that is passed over."""
        self.preferences: dict[str, Standing[events.PreferenceChanged]] = {}
        """By family."""
        self.thresholds: dict[str, Standing[events.QualityThresholdMoved]] = {}
        """By family."""
        self.samples: dict[str, events.DeviceSampled] = {}
        """By device."""
        self.canaries: dict[str, Standing[events.CanaryChanged]] = {}
        """Devices whose canary answers wrongly."""
        self.forecasts: dict[str, events.ForecastMade] = {}
        """By family."""
        self._changes: Final = self._change_table()

    @property
    def types(self) -> frozenset[type[Decision]]:
        """Events that change anything here."""
        return frozenset(self._changes)

    @property
    def level(self) -> Level:
        """The rung that the pool stands on."""
        return Level.NORMAL if self.standing_level is None else self.standing_level.event.level

    def evolve(self, position: int, event: Decision) -> None:
        """Take one committed event."""
        self._changes[type(event)](event, position)

    def level_cause(self) -> Cause | None:
        """Why the pool does not stand at `normal`; None if it does."""
        if self.standing_level is None or self.level is Level.NORMAL:
            return None
        changed = self.standing_level.event
        return self.standing_level.cause(f"{changed.level}, because {changed.reason}")

    def boost_of(self, priority_class: PriorityClass) -> float:
        """Seconds by which new tasks of a class are due earlier."""
        if self.standing_boost is None or priority_class not in self.standing_boost.event.classes:
            return 0.0
        return self.standing_boost.event.boost_s

    def boost_cause(self, priority_class: PriorityClass) -> Cause | None:
        """Why new tasks of a class are due earlier; None if they are not."""
        if self.standing_boost is None or not self.boost_of(priority_class):
            return None
        boost = self.standing_boost.event
        return self.standing_boost.cause(
            f"{boost.boost_s:g} s earlier, because {boost.completion_rate:.0%} of the pool's "
            f"tasks complete, less than {boost.threshold:.0%}"
        )

    def refused_class(self, priority_class: PriorityClass, at: float) -> Cause | None:
        """Why a class is not admitted now; None if it is."""
        if self.standing_level is None or self.level is not Level.SHED:
            return None
        longer = at - self.standing_level.event.at >= SHED_LATER_AFTER_S
        if priority_class not in (SHED_LATER if longer else SHED_AT_ONCE):
            return None
        return self.standing_level.cause(f"shed, because {self.standing_level.event.reason}")

    def threshold_of(self, family: str) -> float:
        """The least quality that degradation may go down to."""
        moved = self.thresholds.get(family)
        return 0.0 if moved is None else moved.event.threshold

    def _change_table(self) -> dict[type[Decision], Callable[..., None]]:
        return {
            events.LevelChanged: self._level_changed,
            events.FallbackStarted: self._fallback_started,
            events.FallbackEnded: self._fallback_ended,
            events.PriorityBoosted: self._boosted,
            events.PreferenceChanged: self._preferred,
            events.QualityThresholdMoved: self._threshold_moved,
            events.DeviceSampled: self._sampled,
            events.CanaryChanged: self._canary_changed,
            events.ForecastMade: self._forecast_made,
        }

    def _level_changed(self, event: events.LevelChanged, position: int) -> None:
        if event.pool == self._pool:
            self.standing_level = Standing(event, position)

    def _fallback_started(self, event: events.FallbackStarted, position: int) -> None:
        if event.pool != self._pool:
            return
        if event.fallback:
            self.fallbacks[event.variant] = Standing(event, position)
        else:
            self.fallbacks.pop(event.variant, None)

    def _fallback_ended(self, event: events.FallbackEnded, _: int) -> None:
        if event.pool == self._pool:
            self.fallbacks.pop(event.variant, None)

    def _boosted(self, event: events.PriorityBoosted, position: int) -> None:
        if event.pool == self._pool:
            self.standing_boost = Standing(event, position)

    def _preferred(self, event: events.PreferenceChanged, position: int) -> None:
        if event.order:
            self.preferences[event.family] = Standing(event, position)
        else:
            self.preferences.pop(event.family, None)

    def _threshold_moved(self, event: events.QualityThresholdMoved, position: int) -> None:
        self.thresholds[event.family] = Standing(event, position)

    def _sampled(self, event: events.DeviceSampled, _: int) -> None:
        self.samples[event.device] = event

    def _forecast_made(self, event: events.ForecastMade, _: int) -> None:
        self.forecasts[event.family] = event

    def wrong_canary(self, device: str) -> str | None:
        """What speaks against a device whose canary answers wrongly."""
        canary = self.canaries.get(device)
        return canary and f"its canary answers wrongly (position {canary.position})"

    def _canary_changed(self, event: events.CanaryChanged, position: int) -> None:
        if event.healthy:
            self.canaries.pop(event.device, None)
        else:
            self.canaries[event.device] = Standing(event, position)
