"""What an overload came to."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Protocol, TypedDict
from uuid import UUID

from pointsman.cli.bench.overloading.load import Sent
from pointsman.contracts.events import LevelChanged, TaskCompleted
from pointsman.contracts.levels import LEVELS, Level
from pointsman.contracts.recorded import Recorded


class OverloadLog(Protocol):
    """The events that figures are made of, in log order."""

    def completed(self) -> Sequence[tuple[Recorded, TaskCompleted]]: ...

    def levels(self) -> Sequence[tuple[Recorded, LevelChanged]]: ...


class OverloadFigures(TypedDict):
    """One run."""

    mode: str
    demand_per_s: float
    seconds: float
    submitted: int
    refused: int
    completed: int
    missed: int
    """Deadlines: expired, completed too late, refused or failed."""
    missed_share: float
    degraded: int
    """Completed by another variant than the best."""
    levels_seen: list[str]
    flips: int
    """Moves of the ladder against the one before within its hold time."""
    back_to_best_s: float | None
    """From the end of the overload until the ladder stands at normal; None: it never left it, or
    did not come back."""


def judge_overload(
    mode: str,
    log: OverloadLog,
    sent: Sent,
    *,
    best: str,
    demand_per_s: float,
    seconds: float,
    over_at: float,
) -> OverloadFigures:
    """Figures of the overload's own tasks; `over_at` is when its last task was sent."""
    completed = {event.stream: (event, done) for event, done in log.completed()}
    mine = {task: completed[task] for task in sent.accepted if task in completed}
    late = sum(done.at > sent.accepted[task] for task, (_, done) in mine.items())
    missed = sent.count - len(mine) + late
    moves = [move for _, move in log.levels()]
    return OverloadFigures(
        mode=mode,
        demand_per_s=round(demand_per_s, 2),
        seconds=seconds,
        submitted=sent.count,
        refused=sum(sent.rejected.values()),
        completed=len(mine),
        missed=missed,
        missed_share=round(missed / max(1, sent.count), 4),
        degraded=sum(done.variant != best for _, done in mine.values()),
        levels_seen=levels_seen(moves),
        flips=flips(moves),
        back_to_best_s=back_at_normal(moves, over_at),
    )


def levels_seen(moves: list[LevelChanged]) -> list[str]:
    """The levels in the order in which they were taken, the first one included."""
    return [str(moves[0].before), *(str(move.level) for move in moves)] if moves else []


def flips(moves: list[LevelChanged]) -> int:
    """How often the ladder turned round before the hold time of its last move was over."""
    turned = 0
    for earlier, later in pairwise(moves):
        back = _upwards(earlier) != _upwards(later)
        turned += back and later.at - earlier.at < earlier.hold_s
    return turned


def back_at_normal(moves: list[LevelChanged], over_at: float) -> float | None:
    """Seconds until the ladder stood at normal again, None if it never left or never came back."""
    if not moves or moves[-1].level is not Level.NORMAL:
        return None
    return round(max(0.0, moves[-1].at - over_at), 2)


def served_by(log: OverloadLog, tasks: Mapping[UUID, float]) -> dict[str, int]:
    """How many of some tasks each variant completed."""
    counts: dict[str, int] = {}
    for event, done in log.completed():
        if event.stream in tasks:
            counts[done.variant] = counts.get(done.variant, 0) + 1
    return counts


def _upwards(move: LevelChanged) -> bool:
    return LEVELS.index(move.level) > LEVELS.index(move.before)
