"""A task that somebody asked for in the time that is looked at, and what became of it."""

from dataclasses import dataclass, field
from math import inf
from typing import Final
from uuid import UUID

from pointsman.contracts import events
from pointsman.contracts.events import Decision
from pointsman.contracts.task_states import WITHOUT_RESULT
from pointsman.scheduler.domain.tasks import PREPARATION_S
from pointsman.time_machine.whatif.device_turns import WITH_DEVICE

COMPLETED: Final = "completed"
CACHED: Final = "cached"
CANCELLED: Final = events.TaskCancelled.__name__
EXPIRED: Final = events.TaskExpired.__name__

_ENDED: Final = (events.AttemptFailed, events.AttemptTimedOut, events.AttemptLost)
_OF_PARTS: Final = (events.SplitPlanned, events.PartsGranted, events.TaskSplit)
TERMINAL: Final = (events.TaskCompleted, *WITHOUT_RESULT)
OF_TASKS: Final = (
    events.TaskPrepared,
    events.TaskGranted,
    events.TaskHeld,
    events.TaskReleased,
    *_ENDED,
    *TERMINAL,
    *_OF_PARTS,
)
"""What is read of a task after its acceptance."""


@dataclass(slots=True)
class AskedTask:
    """A task that arrived in the time that is looked at, or waited already when it began."""

    accepted: events.TaskAccepted
    begin: float
    """Of the time that is looked at."""
    prepared_at: float = 0.0
    let_go_at: float = 0.0
    """When the last task had completed that it depends on."""
    awaits: set[UUID] = field(default_factory=set[UUID])
    """Tasks that it depends on and that have not completed."""
    holds: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])
    """From when to when operators held it; one that goes on has no end."""
    is_whole: bool = False
    """Its input is cut: its parts are tasks of their own."""
    begun_at: float | None = None
    """First grant."""
    variant: str = ""
    """Of the last grant."""
    occupied_s: float = 0.0
    """Slot time of its attempts together; of a shared call its part. Without what it lost with a
    device."""
    granted_at: float | None = None
    """Of the attempt that runs."""
    share: float = 1.0
    """Its part of that attempt's call."""
    ended: str = ""
    """How it ended: `completed`, `cached`, or the terminal event's name."""
    kept_back: bool = False
    """It ended, or the log did, while something other than the queue kept it from being granted."""

    def __post_init__(self) -> None:
        accepted = self.accepted
        needs_preparation = accepted.conversation is not None or accepted.cache
        self.prepared_at = accepted.at + (PREPARATION_S if needs_preparation else 0.0)
        self.awaits = {UUID(name) for name in accepted.awaits}
        self.is_whole = accepted.split is not None

    @property
    def held(self) -> bool:
        """By an operator."""
        return bool(self.holds) and self.holds[-1][1] == inf

    @property
    def arrival(self) -> float:
        """From when only the queue or an operator kept it from being granted; at least `begin`."""
        not_before = self.accepted.not_before or 0.0
        return max(self.prepared_at, not_before, self.let_go_at, self.begin)

    @property
    def waits(self) -> bool:
        """It was not granted yet, and has not ended."""
        return self.begun_at is None and not self.ended

    @property
    def ran(self) -> bool:
        """It held a slot, and holds none any more."""
        return self.occupied_s > 0.0 and self.granted_at is None

    def let_go(self, at: float) -> None:
        """A task that it depends on has completed."""
        self.let_go_at = max(self.let_go_at, at)

    def is_kept_back(self, at: float) -> bool:
        """Whether it stood in no queue then; pauses are not its own."""
        return self.held or bool(self.awaits) or self.arrival > at

    def take(self, event: Decision) -> None:
        """What happened to it next."""
        match event:
            case events.TaskPrepared():
                self.prepared_at = event.at
            case events.TaskGranted():
                self.begun_at = event.at if self.begun_at is None else self.begun_at
                self.granted_at, self.variant = event.at, event.variant
                self.share = 1.0 / event.batch.size if event.batch is not None else 1.0
            case events.TaskHeld() if not self.held:
                self.holds.append((event.at, inf))
            case events.TaskReleased() if self.held:
                self.holds[-1] = self.holds[-1][0], event.at
            case events.TaskHeld() | events.TaskReleased():
                pass
            case events.AttemptLost() if event.reason in WITH_DEVICE:
                self.granted_at = None
            case events.TaskCompleted():
                self._leave_slot(event.at)
                self.ended = CACHED if event.cached_from else COMPLETED
            case _ if isinstance(event, _ENDED):
                self._leave_slot(event.at)
            case _ if isinstance(event, _OF_PARTS):
                self.is_whole = True
            case _:
                self._leave_slot(event.at)
                self.ended = type(event).__name__

    def _leave_slot(self, at: float) -> None:
        if self.granted_at is not None:
            self.occupied_s += max(0.0, at - self.granted_at) * self.share
            self.granted_at = None
