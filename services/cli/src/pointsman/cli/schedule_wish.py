"""What `schedule set` sends, from what a person typed."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from uuid import uuid4

from pointsman.cli.failures import InvalidOptionError
from pointsman.cli.results import utf8
from pointsman.cli.submitting import (
    AllowedDegradation,
    check_name,
    check_tenant,
    parameters,
    span_s,
)
from pointsman.contracts.events import MissedTimes, TaskTemplate, WarmUp
from pointsman.contracts.message import Degradation, PriorityClass
from pointsman.contracts.schedules import SetSchedule

_TEXT: Final = "text/plain"
_BYTES: Final = "application/octet-stream"

MAX_ATTEMPTS: Final = 3
"""Of each task, where the schedule does not say otherwise."""


@dataclass(frozen=True, slots=True)
class ScheduleWish:
    """The options of a schedule, still as they were typed."""

    name: str
    tenant: str
    cron: str
    timezone: str
    missed: MissedTimes | None
    family: str | None
    model: str | None
    priority_class: PriorityClass
    deadline: str | None
    boost_s: float
    allow_degradation: AllowedDegradation | None
    min_quality: float
    max_attempts: int
    parameters: tuple[str, ...]

    def command(self, payload: bytes, *, by: str) -> SetSchedule:
        """Of tasks; raises `InvalidOptionError`."""
        self._check_names()
        if self.family is None:
            raise InvalidOptionError("name --family with the input of its tasks, or --warm")
        allowed = self.allow_degradation
        template = TaskTemplate(
            family=self.family,
            model=self.model,
            priority_class=self.priority_class,
            deadline_after_s=None if self.deadline is None else _after_s(self.deadline),
            boost_s=self.boost_s,
            degradation=None if allowed is None else Degradation(allowed.value),
            min_quality=self.min_quality,
            max_attempts=self.max_attempts,
            parameters=parameters(self.parameters) or None,
        )
        return SetSchedule(
            command_id=str(uuid4()),
            tenant=self.tenant,
            name=self.name,
            cron=self.cron,
            by=by,
            template=template,
            payload=payload,
            timezone=self.timezone,
            media_type=_BYTES if utf8(payload) is None else _TEXT,
            missed=self.missed or MissedTimes.ONCE,
        )

    def warm_up(self, variant: str, device: str, *, by: str) -> SetSchedule:
        """Of loads; raises `InvalidOptionError`."""
        self._check_names()
        given = next((option for option, is_given in self._of_tasks() if is_given), None)
        if given is not None:
            raise InvalidOptionError(f"{given} is about tasks, and --warm makes none")
        if self.missed is MissedTimes.ONCE:
            raise InvalidOptionError("a warm-up that is ten minutes late is always skipped")
        return SetSchedule(
            command_id=str(uuid4()),
            tenant=self.tenant,
            name=self.name,
            cron=self.cron,
            by=by,
            warm_up=WarmUp(variant=variant, device=device),
            timezone=self.timezone,
            missed=MissedTimes.SKIP,
        )

    def _of_tasks(self) -> Iterator[tuple[str, bool]]:
        yield "--family", self.family is not None
        yield "--model", self.model is not None
        yield "--class", self.priority_class is not PriorityClass.STANDARD
        yield "--deadline", self.deadline is not None
        yield "--boost", self.boost_s > 0
        yield "--allow-degradation", self.allow_degradation is not None
        yield "--min-quality", self.min_quality > 0
        yield "--max-attempts", self.max_attempts != MAX_ATTEMPTS
        yield "--param", bool(self.parameters)

    def _check_names(self) -> None:
        check_name("NAME", self.name)
        check_tenant("--tenant", self.tenant)


def _after_s(text: str) -> float:
    span = span_s(text)
    if span is None:
        raise InvalidOptionError(
            f"--deadline {text!r} is no span (30s, 2h): each task has a deadline of its own"
        )
    return span
