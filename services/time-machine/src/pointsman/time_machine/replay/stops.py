"""Where a replay ends before the log does, and what to do then."""

from collections.abc import Sequence

import msgspec

from pointsman.eventstore.archive_segment import ArchiveDamagedError
from pointsman.eventstore.log_reader import LogUnreadableError
from pointsman.eventstore.log_rows import LogRow
from pointsman.eventstore.reading import VERIFY, DamagedEventError, NewerEventError


class Stopped(msgspec.Struct, frozen=True):
    """Nothing from this position on was looked at; what was found before it stands."""

    position: int
    type: str
    """Topic of the event; empty where not even that could be read."""
    code: str
    """`does_not_fit`, `events_missing`, or the code of what the log could not be read for."""
    reason: str
    next_step: str


def not_fitting(position: int, topic: str, error: Exception) -> Stopped:
    """Memory and log have parted: the event follows from no state that a pool can be in."""
    return Stopped(
        position,
        topic,
        "does_not_fit",
        f"it does not fit what stands before it ({type(error).__name__}: {error})",
        f"{VERIFY}; if it is, this release folds it otherwise than the one that wrote it.",
    )


def before_gap(rows: Sequence[LogRow], read_to: int) -> tuple[Sequence[LogRow], Stopped | None]:
    """Rows that follow a position up to where one is missing, and what is said of that.

    `rows` is not empty.
    """
    if rows[-1][0] == read_to + len(rows):
        return rows, None
    expected = read_to + 1
    there = next(at for at, row in enumerate(rows, start=expected) if row[0] != at)
    return rows[: there - expected], _missing(there, rows[there - expected][0])


def _missing(position: int, next_there: int) -> Stopped:
    """Positions have no gaps: what stood from this one on has been taken out."""
    upto = next_there - 1
    what = f"event {position} is" if upto == position else f"the events {position} to {upto} are"
    return Stopped(position, "", "events_missing", f"{what} gone", f"{VERIFY}.")


def unreadable(error: NewerEventError | DamagedEventError) -> Stopped:
    """The event is of a later release, or its bytes are none of its topic."""
    if isinstance(error, NewerEventError):
        reason, next_step = "it was written by a newer release", error.next_step
    else:
        reason, next_step = str(error.__cause__), f"{VERIFY}; if it is, its writer has a defect."
    return Stopped(error.position, error.topic, error.code, reason, next_step)


def broken_off(position: int, error: LogUnreadableError | ArchiveDamagedError) -> Stopped:
    """The files of the log could be read up to the position before this one."""
    reason = str(error).removesuffix(error.next_step).strip().removesuffix(".")
    return Stopped(position, "", error.code, reason, f"{VERIFY}.")
