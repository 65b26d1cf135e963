"""What an overload came to, from the log."""

from collections.abc import Iterable
from uuid import UUID, uuid4

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.cli.bench.overloading.judging import (
    back_at_normal,
    flips,
    judge_overload,
    levels_seen,
    served_by,
)
from pointsman.cli.bench.overloading.load import Sent
from pointsman.contracts.events import LevelChanged, TaskCompleted
from pointsman.contracts.events.degradation import Pressure
from pointsman.contracts.levels import LEVELS, Level
from pointsman.contracts.recorded import Recorded
from tests.support.task_events import CODEC, NOON, as_recorded, completed, stream_of

NORMAL, CONSERVE, DEGRADE, SHED = LEVELS


class ReadLog:
    """The part of a watched log that figures are made of."""

    def __init__(self, events: Iterable[Recorded]) -> None:
        self._events = list(events)

    def completed(self) -> list[tuple[Recorded, TaskCompleted]]:
        return [
            (event, msgspec.json.decode(event.data, type=TaskCompleted))
            for event in self._events
            if event.type == "task.completed.v1"
        ]

    def levels(self) -> list[tuple[Recorded, LevelChanged]]:
        return [
            (event, msgspec.json.decode(event.data, type=LevelChanged))
            for event in self._events
            if event.type == "degradation.level_changed.v1"
        ]


def moves(*steps: tuple[float, Level], hold_s: float = 4.0) -> list[LevelChanged]:
    """One move per step, from normal on: (seconds after noon, level)."""
    before, made = NORMAL, list[LevelChanged]()
    for at, level in steps:
        made.append(
            LevelChanged(
                at=NOON + at,
                applied_to=0,
                pool="main",
                before=before,
                level=level,
                trigger="wait_long",
                reason="",
                inputs=Pressure(),
                hold_s=hold_s,
            )
        )
        before = level
    return made


def ending(task: UUID, at: float, variant: str = "large") -> Recorded:
    done = msgspec.structs.replace(completed(variant=variant), at=NOON + at)
    (recorded,) = as_recorded(stream_of(task, [done]))
    return recorded


def test_levels_are_listed_as_they_were_taken_the_first_one_included() -> None:
    assert levels_seen([]) == []
    assert levels_seen(moves((0, CONSERVE), (1, DEGRADE), (9, CONSERVE))) == [
        "normal",
        "conserve",
        "degrade",
        "conserve",
    ]


@pytest.mark.parametrize(
    ("steps", "turned"),
    [
        ([], 0),
        ([(0.0, CONSERVE)], 0),
        ([(0.0, CONSERVE), (1.0, DEGRADE), (2.0, SHED)], 0),
        ([(0.0, CONSERVE), (3.9, NORMAL)], 1),
        ([(0.0, CONSERVE), (4.0, NORMAL)], 0),
        ([(0.0, CONSERVE), (1.0, NORMAL), (2.0, CONSERVE)], 2),
        ([(0.0, CONSERVE), (9.0, NORMAL), (9.5, CONSERVE)], 1),
    ],
    ids=["none", "one", "up only", "back too soon", "back in time", "to and fro", "up again"],
)
def test_a_flip_is_a_turn_within_the_hold_time_of_the_move_before(
    steps: list[tuple[float, Level]], turned: int
) -> None:
    assert flips(moves(*steps)) == turned


@given(st.lists(st.floats(4.0, 60.0), max_size=12))
def test_a_ladder_that_keeps_its_hold_times_never_flips(pauses: list[float]) -> None:
    at, steps = 0.0, list[tuple[float, Level]]()
    for number, pause in enumerate(pauses):
        at += pause
        steps.append((at, NORMAL if number % 2 else CONSERVE))

    # Half of the times, because sums of times round.
    assert flips(moves(*steps, hold_s=2.0)) == 0


@pytest.mark.parametrize(
    ("steps", "back_s"),
    [
        ([], None),
        ([(1.0, CONSERVE)], None),
        ([(1.0, CONSERVE), (12.5, NORMAL)], 2.5),
        ([(1.0, CONSERVE), (8.0, NORMAL)], 0.0),
        ([(1.0, CONSERVE), (12.0, NORMAL), (13.0, CONSERVE)], None),
        ([(1.0, CONSERVE), (12.0, NORMAL), (13.0, CONSERVE), (20.0, NORMAL)], 10.0),
    ],
    ids=["never left", "never back", "back", "back before the end", "left again", "back at last"],
)
def test_the_way_back_counts_from_the_end_of_the_overload(
    steps: list[tuple[float, Level]], back_s: float | None
) -> None:
    assert back_at_normal(moves(*steps), NOON + 10) == back_s


def test_every_submission_that_did_not_end_in_time_is_a_miss() -> None:
    in_time, late, expired, smaller, foreign = (uuid4() for _ in range(5))
    deadline = NOON + 2
    sent = Sent(
        accepted=dict.fromkeys((in_time, late, expired, smaller), deadline),
        rejected={"overloaded": 3, "shed": 1},
    )
    ladder = stream_of(uuid4(), moves((1, CONSERVE), (7, NORMAL)))
    log = ReadLog(
        [
            ending(in_time, 1.0),
            ending(late, 2.5),
            ending(smaller, 2.0, "small"),
            ending(foreign, 9.0, "small"),
            *as_recorded(ladder),
        ]
    )

    figures = judge_overload(
        "adaptive", log, sent, best="large", demand_per_s=4.0, seconds=2.0, over_at=NOON + 2
    )

    assert (figures["submitted"], figures["refused"], figures["completed"]) == (8, 4, 3)
    assert (figures["missed"], figures["missed_share"]) == (6, 0.75)
    assert (figures["degraded"], figures["flips"]) == (1, 0)
    assert figures["levels_seen"] == ["normal", "conserve", "normal"]
    assert figures["back_to_best_s"] == 5.0
    assert served_by(log, sent.accepted) == {"large": 2, "small": 1}


def test_nothing_sent_is_nothing_missed() -> None:
    figures = judge_overload(
        "adaptive",
        ReadLog([]),
        Sent(),
        best="large",
        demand_per_s=0.0,
        seconds=0.0,
        over_at=NOON,
    )

    assert (figures["submitted"], figures["missed"], figures["missed_share"]) == (0, 0, 0.0)
    assert figures["back_to_best_s"] is None


def test_the_events_are_those_of_the_log() -> None:
    (move,) = moves((1, CONSERVE))

    assert CODEC.decode("degradation.level_changed.v1", CODEC.encode(move)) == move
