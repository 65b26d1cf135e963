"""When a cron expression is due, in a time zone.

As Debian's cron has it: a fixed time that the clocks skip in spring is due when they have been put
forward, one that they show twice in autumn is due the first time only, and what is due every so
many minutes or hours (a star in those fields) follows real time through both.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice, takewhile
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from pointsman.contracts.schedules import MOST_COUNTED

_FIELDS: Final = 5
_MOST_CHARS: Final = 256
_HOUR_S: Final = 3600.0
# A schedule with more due times than are counted is dense: the latest one is near, nearly always.
_LOOK_BACK_H: Final = (2, 48, 1_000)


class CronError(ValueError):
    """Whoever set the schedule must correct it; `code` is stable."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class DueTimes:
    """Due times of an interval; there are some."""

    latest: float
    count: int
    """At least so many from `MOST_COUNTED` on."""


@dataclass(frozen=True, slots=True)
class Cron:
    """A cron expression of five fields in a time zone; `checked` makes one that is right."""

    expression: str
    timezone: str

    @classmethod
    def checked(cls, expression: str, timezone: str, *, at: float) -> "Cron":
        """Raises `CronError`: of another form, in no known zone, or never due after `at`."""
        cron = cls(" ".join(expression.split()), timezone)
        if len(cron.expression) > _MOST_CHARS or len(cron.expression.split()) != _FIELDS:
            raise CronError(
                "cron_invalid",
                f"{expression[:_MOST_CHARS]!r} has not the five fields of a cron expression: "
                "minute, hour, day of the month, month, day of the week",
            )
        try:
            first = next(cron.after(at), None)
        except CronSimError as error:
            raise CronError("cron_invalid", f"{expression!r} is no cron expression: {error}") from (
                error
            )
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise CronError(
                "unknown_timezone", f"{timezone!r} is no time zone, like Europe/Berlin or UTC"
            ) from error
        if first is None:
            raise CronError("cron_never_due", f"{expression!r} is not due in the next 50 years")
        return cron

    def after(self, moment: float) -> Iterator[float]:
        """Due times later than a moment, earliest first; few expressions ever end."""
        latest = moment
        start = datetime.fromtimestamp(moment, tz=ZoneInfo(self.timezone))
        for due in CronSim(self.expression, start):
            # In the hour that the clocks show twice, a fixed time that was due already comes up
            # again.
            if (time := due.timestamp()) > latest:
                latest = time
                yield time

    def between(self, after: float, upto: float) -> DueTimes | None:
        """Due times later than `after` and not later than `upto`; None if there is none."""
        counted = list(islice(self._until(after, upto), MOST_COUNTED))
        if not counted:
            return None
        latest = counted[-1]
        if len(counted) == MOST_COUNTED:
            latest = self._latest(latest, upto)
        return DueTimes(latest, len(counted))

    def _latest(self, known: float, upto: float) -> float:
        """The latest due time up to a moment; `known` is an earlier one."""
        for hours in _LOOK_BACK_H:
            since = upto - hours * _HOUR_S
            if since <= known:
                break
            found = list(self._until(since, upto))
            if found:
                return found[-1]
        return max(self._until(known, upto), default=known)

    def _until(self, after: float, upto: float) -> Iterator[float]:
        return takewhile(lambda due: due <= upto, self.after(after))
