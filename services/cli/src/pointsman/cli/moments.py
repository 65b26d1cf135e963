"""A past moment as people name it: a position of the log, or a time."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Final

import typer

MAX_POSITION: Final = 2**63 - 1
"""No log has one beyond it."""


@dataclass(frozen=True, slots=True)
class Moment:
    """At most one of the two; neither: now."""

    position: int | None = None
    time: float | None = None


def parse_moment(text: str | None, *, option: str = "--at") -> Moment:
    """A number is a position, anything else an RFC 3339 time, in UTC unless it says otherwise.

    Raises `typer.BadParameter`.
    """
    if text is None:
        return Moment()
    if text.isascii() and text.isdigit():
        return Moment(position=min(int(text), MAX_POSITION))
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is neither a position of the log nor a time like 2026-01-01T12:00:00Z",
            param_hint=option,
        ) from None
    return Moment(time=(time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp())


At = Annotated[
    str | None,
    typer.Option(metavar="POSITION|TIME", help="As it was then: a log position, or a time (UTC)."),
]
