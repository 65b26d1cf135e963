"""What `schedule set` sends, from what a person typed."""

import re
from dataclasses import dataclass
from typing import Final
from uuid import uuid4

from pointsman.cli.results import utf8
from pointsman.cli.submitting import (
    AllowedDegradation,
    InvalidOptionError,
    check_name,
    parameters,
    span_s,
)
from pointsman.contracts.events import MissedTimes, TaskTemplate
from pointsman.contracts.message import Degradation, PriorityClass
from pointsman.contracts.schedules import SetSchedule
from pointsman.contracts.subjects import TENANT_PATTERN

_TEXT: Final = "text/plain"
_BYTES: Final = "application/octet-stream"


@dataclass(frozen=True, slots=True)
class ScheduleWish:
    """The options of a schedule, still as they were typed."""

    name: str
    tenant: str
    cron: str
    timezone: str
    missed: MissedTimes
    family: str
    model: str | None
    priority_class: PriorityClass
    deadline: str | None
    boost_s: float
    allow_degradation: AllowedDegradation | None
    min_quality: float
    max_attempts: int
    parameters: tuple[str, ...]

    def command(self, payload: bytes, *, by: str) -> SetSchedule:
        """Raises `InvalidOptionError`."""
        check_name("NAME", self.name)
        if re.match(TENANT_PATTERN, self.tenant) is None:
            raise InvalidOptionError(f"--tenant {self.tenant!r} is no tenant")
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
            timezone=self.timezone,
            template=template,
            payload=payload,
            media_type=_BYTES if utf8(payload) is None else _TEXT,
            by=by,
            missed=self.missed,
        )


def _after_s(text: str) -> float:
    span = span_s(text)
    if span is None:
        raise InvalidOptionError(
            f"--deadline {text!r} is no span (30s, 2h): each task has a deadline of its own"
        )
    return span
