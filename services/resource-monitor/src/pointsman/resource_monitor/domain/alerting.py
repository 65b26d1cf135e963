"""The life of an alert: raised once, cleared once, whatever happens in between.

Pending and clearing are phases of this process; what stands is the fold of the log. A value that
is unknown breaks a phase, since nobody knows whether it went on, and changes nothing else.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from pointsman.contracts.events import AlertCleared, AlertRaised
from pointsman.resource_monitor.domain.alert_rules import AlertRule

BELOW: Final = "below the threshold"


class Phase(StrEnum):
    """Where an alert stands."""

    OK = "ok"
    PENDING = "pending"
    RAISED = "raised"
    CLEARING = "clearing"


class Signal(StrEnum):
    """What happened to it."""

    ABOVE = "above"
    BELOW = "below"
    UNKNOWN = "unknown"
    HELD = "held"
    """The phase lasted for its duration, and the event that ends it was recorded."""


# A pair that is not listed leaves the phase as it is. Only `held` crosses between standing and not,
# so nothing is raised or cleared that was not recorded; an alert without a subject is the exception
# that `decide` makes, from wherever it stands.
TRANSITIONS: Final[Mapping[tuple[Phase, Signal], Phase]] = MappingProxyType(
    {
        (Phase.OK, Signal.ABOVE): Phase.PENDING,
        (Phase.PENDING, Signal.BELOW): Phase.OK,
        (Phase.PENDING, Signal.UNKNOWN): Phase.OK,
        (Phase.PENDING, Signal.HELD): Phase.RAISED,
        (Phase.RAISED, Signal.BELOW): Phase.CLEARING,
        (Phase.CLEARING, Signal.ABOVE): Phase.RAISED,
        (Phase.CLEARING, Signal.UNKNOWN): Phase.RAISED,
        (Phase.CLEARING, Signal.HELD): Phase.OK,
    }
)


@dataclass(frozen=True, slots=True)
class Watch:
    """One alert of one subject."""

    phase: Phase = Phase.OK
    since: float = 0.0
    """When the phase began."""
    raised_at: float = 0.0

    @property
    def raised(self) -> bool:
        """Whether the log says that it stands."""
        return self.phase in {Phase.RAISED, Phase.CLEARING}


@dataclass(frozen=True, slots=True)
class Observation:
    """A value of now; None: unknown."""

    subject: str
    value: float | None
    samples: tuple[str, ...] = ()
    gone: str = ""
    """Why there is nothing left to watch; a standing alert then ends without a value."""


def observe(watch: Watch, rule: AlertRule, value: float | None, *, now: float) -> Watch:
    """The phase after a value."""
    if value is None:
        signal = Signal.UNKNOWN
    else:
        signal = Signal.ABOVE if value > rule.threshold else Signal.BELOW
    phase = TRANSITIONS.get((watch.phase, signal), watch.phase)
    return watch if phase is watch.phase else Watch(phase, now, watch.raised_at)


def decide(
    watch: Watch, rule: AlertRule, seen: Observation, *, now: float, applied_to: int
) -> AlertRaised | AlertCleared | None:
    """What has to be recorded after `seen` was observed; the watch follows when it was."""
    lasted_s = now - watch.since
    if watch.phase is Phase.PENDING and seen.value is not None and lasted_s >= rule.for_s:
        return AlertRaised(
            at=now,
            applied_to=applied_to,
            alert=rule.alert,
            subject=seen.subject,
            value=seen.value,
            threshold=rule.threshold,
            unit=rule.unit,
            for_s=rule.for_s,
            since=watch.since,
            samples=seen.samples,
        )
    over = watch.phase is Phase.CLEARING and lasted_s >= rule.clear_s
    if over or (watch.raised and seen.gone):
        return AlertCleared(
            at=now,
            applied_to=applied_to,
            alert=rule.alert,
            subject=seen.subject,
            value=seen.value,
            threshold=rule.threshold,
            raised_at=watch.raised_at,
            reason=seen.gone or BELOW,
        )
    return None


def evolve(event: AlertRaised | AlertCleared) -> Watch:
    """The watch after an event of the log; phases of this process end with it."""
    if isinstance(event, AlertRaised):
        return Watch(Phase.RAISED, event.at, event.at)
    return Watch(Phase.OK, event.at)
