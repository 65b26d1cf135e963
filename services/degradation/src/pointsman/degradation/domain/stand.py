"""Where a ladder stands: the fold of its own events."""

from dataclasses import dataclass, replace
from typing import Final

from pointsman.contracts.events import Decision, LevelChanged, OverrideEnded, OverrideSet
from pointsman.contracts.levels import Level
from pointsman.degradation.domain.ladder import rank


@dataclass(frozen=True, slots=True)
class Stand:
    """One pool's ladder."""

    level: Level = Level.NORMAL
    since: float | None = None
    """When it last moved; None: it never has."""
    rising: bool = False
    """Whether the last step led up."""
    override: OverrideSet | None = None

    def evolve(self, event: Decision) -> "Stand":
        match event:
            case LevelChanged():
                return replace(
                    self,
                    level=event.level,
                    since=event.at,
                    rising=rank(event.level) > rank(event.before),
                )
            case OverrideSet():
                return replace(self, override=event)
            case OverrideEnded():
                return replace(self, override=None)
            case _:
                return self

    def held_s(self, at: float) -> float | None:
        """How long the level has stood."""
        return None if self.since is None else max(0.0, at - self.since)


BOTTOM: Final = Stand()
