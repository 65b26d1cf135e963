"""Events of the degradation service: the ladder, overrides and fallbacks."""

from pointsman.contracts.events.tasks import Decision
from pointsman.contracts.levels import Level
from pointsman.contracts.message import Message


class Pressure(Message, frozen=True):
    """What the ladder knew when it decided; None and `unknown` are not zero."""

    predicted_wait_s: float | None = None
    """The longest among the families."""
    load_at_best: float | None = None
    """Demand as a share of what the best variants carry; above 1 they cannot keep up."""
    device: float | None = None
    """Greatest utilisation of a device, 0 to 1."""
    queued: int | None = None
    """Tasks that wait for a device, and those that an operator keeps from one."""
    family: str = ""
    """The family that the predicted wait speaks of."""
    alerts: tuple[str, ...] = ()
    """Alerts that stand, as `alert/subject`."""
    samples: tuple[str, ...] = ()
    """Device samples that were used."""
    unknown: tuple[str, ...] = ()
    """Inputs that were stale: no reading for three periods."""
    kept_back: int = 0
    """Of `queued`, those that wait for an operator: no level brings them nearer to a device."""


class LevelAlternative(Message, frozen=True):
    """A level that was not taken, and why."""

    level: Level
    why_not: str


class LevelChanged(Decision, frozen=True):
    """The ladder of a pool moved by one step."""

    pool: str
    before: Level
    level: Level
    trigger: str
    """The signal, a key of the transition table."""
    reason: str
    """A sentence with the values."""
    inputs: Pressure
    alternatives: tuple[LevelAlternative, ...] = ()
    held_s: float = 0.0
    """How long the level before had stood."""
    hold_s: float = 0.0
    """No move the other way within this time."""


class OverrideSet(Decision, frozen=True):
    """An operator holds the ladder at a level until a time."""

    pool: str
    level: Level
    until: float
    by: str
    reason: str


class OverrideEnded(Decision, frozen=True):
    """The ladder follows its signals again."""

    pool: str
    reason: str
    """`expired` or who ended it."""


class Strategy(Message, frozen=True):
    """How a variant is replaced: the first viable fallback wins."""

    resource_target_mib: float
    """min(0.8 x available memory, the least that any fallback needs)."""
    quality_threshold: float
    """No fallback below this quality."""
    fallbacks: tuple[str, ...]
    """In the order in which they are tried, best quality first."""


class FallbackStarted(Decision, frozen=True):
    """A variant that fails or runs out of memory is passed over until a time."""

    pool: str
    family: str
    variant: str
    fallback: str
    """The first viable one; empty if there is none, then the variant stays in use."""
    strategy: Strategy
    code: str
    """Of the failure."""
    failures: int
    """In a row."""
    tasks: tuple[str, ...]
    """Tasks whose attempts failed, at most 5, newest last."""
    until: float


class FallbackEnded(Decision, frozen=True):
    """The variant may be used again; if it fails again, a longer fallback starts."""

    pool: str
    variant: str
    reason: str
