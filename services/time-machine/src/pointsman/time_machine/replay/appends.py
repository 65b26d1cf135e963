"""What a leader recorded at one moment, cut into the appends that it came in."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from pointsman.contracts import events
from pointsman.contracts.events import Decision
from pointsman.scheduler.domain.admission.dependencies import DEPENDENCY_FAILED
from pointsman.scheduler.domain.parts.work import PARTS_FAILED
from pointsman.time_machine.pool_log import Entry

OF_ROUNDS: Final = frozenset(
    {
        events.TaskGranted,
        events.TaskHedged,
        events.TaskExpired,
        events.ResidencyGranted,
        events.SlotHeld,
        events.PartsGranted,
        events.BreakerOpened,
        events.BreakerClosed,
    }
)
"""What only rounds decide. They also release slots that are overdue, and fail tasks that others let
down."""

_LET_DOWN: Final = frozenset({DEPENDENCY_FAILED, PARTS_FAILED})
_OVERDUE: Final = "run_deadline_over"


@dataclass(frozen=True, slots=True)
class Append:
    """Events of one stream that were decided and recorded together."""

    stream: UUID
    version: int
    """Of the first."""
    positions: Sequence[int]
    events: tuple[Decision, ...]

    @property
    def first(self) -> Decision:
        """The event that tells what was decided; others follow from it."""
        return self.events[0]


@dataclass(slots=True)
class Moment:
    """Appends that were decided on the same state at the same time, in log order."""

    at: float
    round: list[Append] = field(default_factory=list[Append])
    """What a round decides when time or a change allows it."""
    commands: list[Append] = field(default_factory=list[Append])
    """What follows from somebody's command, each on its own."""


def moments(entries: Iterable[Entry]) -> Iterable[Moment]:
    """Entries with the same `applied_to`, in log order, by their time."""
    together: dict[tuple[float, UUID, bool], list[Entry]] = {}
    for entry in entries:
        event = entry[3]
        together.setdefault((event.at, entry[1], in_round(event)), []).append(entry)
    found: dict[float, Moment] = {}
    for (at, stream, of_round), parts in together.items():
        moment = found.get(at)
        if moment is None:
            moment = found[at] = Moment(at)
        append = Append(
            stream, parts[0][2], [part[0] for part in parts], tuple(part[3] for part in parts)
        )
        (moment.round if of_round else moment.commands).append(append)
    return found.values()


def in_round(event: Decision) -> bool:
    """Whether an event comes from a round; the rest answers a command, a report or an absence."""
    if type(event) is events.SlotReleased:
        return event.reason == _OVERDUE
    if type(event) is events.TaskFailed:
        return event.code in _LET_DOWN
    return type(event) in OF_ROUNDS
