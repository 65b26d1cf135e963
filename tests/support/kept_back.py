"""What was in the way of a task, as told from a history in memory."""

from uuid import UUID

from pointsman.contracts.events import Decision
from pointsman.scheduler.domain.why.around import AROUND, Around, Noted
from pointsman.scheduler.domain.why.in_the_way import ToldWait, in_the_way
from tests.support.scheduling import NOON, A, History, accepted, attached, given, model


def waits(
    history: History, task: UUID = A, *, looked_at: int = 1, read_from: int = 0
) -> dict[int, ToldWait]:
    """What was in the way of each wait, of all that was recorded."""
    noted = tuple(
        Noted(entry.position, entry.version, entry.event)
        for entry in history.entries
        if type(entry.event) in AROUND
    )
    own = history.of(task)
    around = Around(task, noted, devices=1, looked_at=looked_at, read_from=read_from)
    return in_the_way(own, around, now=NOON + 3600)


def told(history: History, task: UUID = A) -> list[str]:
    """Only of what was in its way."""
    return [sentence for each in waits(history, task).values() for sentence in each.sentences]


def one_waits(*more: Decision | tuple[UUID, Decision]) -> History:
    return given(model(), model("label", family="classify"), attached(), *more, (A, accepted()))
