"""What other services have recorded and decisions here stand on."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pointsman.degradation.domain.failures import Streak


@dataclass(frozen=True, slots=True)
class StandingAlert:
    """An alert that was raised and not cleared."""

    alert: str
    subject: str

    def __str__(self) -> str:
        return f"{self.alert}/{self.subject}"


@dataclass(frozen=True, slots=True)
class Variant:
    """A model of a family as it is registered."""

    variant: str
    family: str
    quality: float
    memory_mib: float


@dataclass(frozen=True, slots=True)
class AttachedDevice:
    """A device that an executor offers, with the variants that are loaded on it."""

    device: str
    pool: str
    device_class: str
    variants: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Surroundings:
    """One consistent state of the view."""

    position: int = 0
    """Everything up to here is in it."""
    alerts: tuple[StandingAlert, ...] = ()
    variants: Mapping[str, Variant] = field(default_factory=dict[str, Variant])
    thresholds: Mapping[str, float] = field(default_factory=dict[str, float])
    """The least quality of a fallback, by family."""
    devices: Mapping[str, AttachedDevice] = field(default_factory=dict[str, AttachedDevice])
    streaks: tuple[Streak, ...] = ()
