"""The schedules of a pool, folded from the log: what is due, and what became of earlier times."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from math import inf
from typing import Final
from uuid import UUID

from pointsman.contracts import events
from pointsman.contracts.events import Decision, MissedTimes, TaskAccepted
from pointsman.scheduler.domain.schedules.cron import Cron

IN_TIME_S: Final = 60.0
"""A due time that was acted on within so long was not missed; a take-over takes 5 s."""

WARM_IN_TIME_S: Final = 600.0
"""Of a warm-up: tasks that it is for have had their model loaded by then, or begin without it."""

_MARK: Final = "@"

ScheduleId = tuple[str, str]
"""Tenant and name."""


@dataclass(frozen=True, slots=True)
class Due:
    """What a schedule has to do now."""

    time: float
    missed: int
    """Earlier due times that nothing was done for."""
    skipped: bool = False
    """Nothing is done for this one either."""


@dataclass(slots=True)
class Schedule:
    """One schedule; due times up to `settled` have been seen to."""

    terms: events.ScheduleSet
    settled: float
    made: tuple[float, str] | None = None
    """A due time whose task was accepted, and the task, until that is settled too."""
    last_due: float | None = None
    last_task: str = ""
    fired: int = 0
    missed: int = 0
    last_missed: str = ""
    paused: events.SchedulePaused | None = None
    """Nothing is due while it stands."""
    _upcoming: tuple[Cron, float, float] | None = field(default=None, compare=False)
    """What follows from the terms and `settled`, as long as these are the same."""

    @property
    def id(self) -> ScheduleId:
        """Names it inside the pool."""
        return self.terms.tenant, self.terms.name

    @property
    def in_time_s(self) -> float:
        """A due time that was acted on within so long was not missed."""
        return IN_TIME_S if self.terms.warm_up is None else WARM_IN_TIME_S

    @property
    def cron(self) -> Cron:
        """When it is due."""
        return Cron(self.terms.cron, self.terms.timezone)

    def next_due(self) -> float:
        """The first due time that nothing was done for; infinite if there is none any more.

        Or none while it is paused.
        """
        if self.paused is not None:
            return inf
        cron = self.cron
        if self._upcoming is None or self._upcoming[:2] != (cron, self.settled):
            self._upcoming = (cron, self.settled, next(cron.after(self.settled), inf))
        return self._upcoming[2]

    def due(self, at: float) -> Due | None:
        """What to do at a moment.

        Of several due times the latest one counts and the others were missed. Under `skip` the
        latest one was missed as well if its time is over.
        """
        times = self.cron.between(self.settled, at) if self.next_due() <= at else None
        if times is None:
            return None
        late = at - times.latest > self.in_time_s
        skipped = late and self.terms.missed is MissedTimes.SKIP
        return Due(times.latest, times.count - 1, skipped)


class Timetable(dict[ScheduleId, Schedule]):
    """The schedules of one pool by tenant and name."""

    def __init__(self, pool: str) -> None:
        super().__init__()
        self._pool = pool
        self._changes: Final = self._change_table()

    @property
    def types(self) -> frozenset[type[Decision]]:
        """Events that change anything here, besides acceptances of tasks."""
        return frozenset(self._changes)

    def evolve(self, _position: int, event: Decision) -> None:
        """Take one committed event about a schedule."""
        if getattr(event, "pool", self._pool) == self._pool:
            self._changes[type(event)](event)

    def accepted(self, task: UUID, event: TaskAccepted) -> None:
        """A task of this pool was accepted; a schedule may have made it."""
        schedule = self.get((event.tenant, event.schedule))
        due = due_of(event.message_id, event.schedule)
        if schedule is not None and due is not None and due > schedule.settled:
            schedule.made = (due, str(task))

    def of(self, tenant: str | None) -> Iterator[Schedule]:
        """Schedules of a tenant, or all, in order of their names."""
        for key in sorted(self):
            if tenant is None or key[0] == tenant:
                yield self[key]

    def _change_table(self) -> dict[type[Decision], Callable[..., None]]:
        return {
            events.ScheduleSet: self._set,
            events.ScheduleRemoved: self._removed,
            events.SchedulePaused: self._paused,
            events.ScheduleResumed: self._resumed,
            events.ScheduleFired: self._fired,
            events.ScheduleMissed: self._missed,
        }

    def _set(self, event: events.ScheduleSet) -> None:
        known = self.get((event.tenant, event.name))
        if known is None:
            self[event.tenant, event.name] = Schedule(event, settled=event.at)
        else:
            known.terms = event
            known.settled = max(known.settled, event.at)

    def _removed(self, event: events.ScheduleRemoved) -> None:
        self.pop((event.tenant, event.name), None)

    def _paused(self, event: events.SchedulePaused) -> None:
        schedule = self.get((event.tenant, event.name))
        if schedule is not None:
            schedule.paused = event

    def _resumed(self, event: events.ScheduleResumed) -> None:
        schedule = self.get((event.tenant, event.name))
        if schedule is not None:
            schedule.paused = None
            schedule.settled = max(schedule.settled, event.at)

    def _fired(self, event: events.ScheduleFired) -> None:
        schedule = self.get((event.tenant, event.name))
        if schedule is not None:
            _settle(schedule, event.due)
            schedule.fired += 1
            schedule.missed += event.missed
            schedule.last_due = event.due
            schedule.last_task = event.task or schedule.last_task

    def _missed(self, event: events.ScheduleMissed) -> None:
        schedule = self.get((event.tenant, event.name))
        if schedule is not None:
            _settle(schedule, event.due)
            schedule.missed += event.missed
            schedule.last_missed = f"{event.code}: {event.reason}"


def _settle(schedule: Schedule, due: float) -> None:
    schedule.settled = max(schedule.settled, due)
    if schedule.made is not None and schedule.made[0] <= due:
        schedule.made = None


def message_id(name: str, due: float) -> str:
    """What tells the task of one due time from all others of the tenant."""
    return f"{name}{_MARK}{datetime.fromtimestamp(due, tz=UTC):%Y-%m-%dT%H:%M:%SZ}"


def due_of(identity: str, name: str) -> float | None:
    """The due time in what `message_id` gave for a schedule; None if it is of another form."""
    if not name or not identity.startswith(name + _MARK):
        return None
    try:
        return datetime.fromisoformat(identity.removeprefix(name + _MARK)).timestamp()
    except ValueError:
        return None
