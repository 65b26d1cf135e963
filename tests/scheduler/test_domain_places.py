"""What a boost or a move does to a task's place, told at once and for ever after."""

from collections.abc import Sequence
from uuid import UUID

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st
from msgspec.structs import replace

from pointsman.contracts import events
from pointsman.contracts.message import PriorityClass
from pointsman.contracts.steering import SteeringCommand
from pointsman.scheduler.domain.why.history import sentences
from tests.support.scheduling import NOON, A, B, C, History, accepted, attached, given, model
from tests.support.splitting import Splitting, cut
from tests.support.steering import boost, granted, hold, move, release, steered, told, waiting


def in_line(*keys: float) -> History:
    """A class with one task per key; the first is A."""
    tasks = [A, *(UUID(int=number) for number in range(1, len(keys)))]
    history = given(model(), attached())
    for task, key in zip(tasks, keys, strict=True):
        history.append(task, accepted(key=NOON + key))
    return history


def told_of(history: History, task: UUID = A) -> str:
    return "\n".join(sentences(history.of(task)))


def test_the_answer_and_the_history_name_the_old_place_and_the_new_one() -> None:
    history = in_line(30, 12, 15, 28)

    answer = told(history, boost(A, 16.0), at=NOON + 1)

    assert answer == (
        "due 16 s earlier than its class says; its place in the line of its class goes from 4 to 2"
    )
    assert (
        "It is due to start by 12:00:14.000 instead of 12:00:30.000, in the window of standard work"
    ) in told_of(history)
    assert (
        "Its place among the waiting tasks of its class went from 4 to 2; that counts for all its "
        "attempts, until it is boosted or moved again."
    ) in told_of(history)


@pytest.mark.parametrize(
    ("command", "places"),
    [(boost(A, 0.0), None), (move(A, PriorityClass.BATCH), (1, 3)), (boost(A, 1.0), (1, 1))],
    ids=["nothing changed", "behind all", "first anyway"],
)
def test_places_count_from_one_among_its_class(
    command: SteeringCommand, places: tuple[int, int] | None
) -> None:
    history = in_line(30, 31, 32)
    history.append(C, accepted(family="classify", variants=("label",), key=NOON))

    recorded = steered(history, command)

    found = [event.places for event in recorded if isinstance(event, events.TaskRekeyed)]
    assert found == ([] if places is None else [places])


def test_a_task_that_sleeps_is_told_from_when_it_counts() -> None:
    history = given(model(), attached(), (A, replace(accepted(), not_before=NOON + 60)))

    answer = told(history, move(A, PriorityClass.INTERACTIVE))

    assert answer == (
        "moved from standard to interactive; it stands in no line before 2026-01-01 12:01:00 UTC, "
        "this counts then"
    )
    assert "It stood in no line yet: that counts from 2026-01-01 12:01:00 on." in told_of(history)
    assert "place" not in told_of(history).partition("moved")[2]


def test_a_held_task_counts_from_its_release_on() -> None:
    history = waiting()
    steered(history, hold(B))

    answer = told(history, boost(B, 25.0))
    steered(history, release(B))

    assert answer.endswith("; it is held, this counts from its release on")
    assert "It stood in no line, being held: that counts from its release on." in told_of(
        history, B
    )
    assert granted(history, NOON + 1) == [B]


def test_a_task_that_awaits_others_counts_when_those_have_completed() -> None:
    history = given(model(), attached(), (A, accepted()))
    history.append(B, replace(accepted(), depends_on=(str(A),), awaits=(str(A),)))

    assert told(history, boost(B, 5.0)).endswith(
        "; it waits for other tasks, this counts when they have completed"
    )
    assert "That counts from when the tasks that it depends on have completed." in told_of(
        history, B
    )


def test_of_a_running_task_it_counts_for_the_next_attempt() -> None:
    history = waiting()
    history.round(NOON)

    steered(history, boost(A, 5.0))

    assert "An attempt was running: that counts for the next one." in told_of(history)


def test_of_a_task_that_was_cut_it_counts_for_the_merge() -> None:
    world = Splitting()
    whole, _ = cut(world)

    answer = told(world.history, boost(whole, 5.0))

    assert answer.endswith("; its parts keep their places, this is for their merge")
    assert "that counts for the merge." in told_of(world.history, whole)


def test_a_rekey_of_an_earlier_release_tells_no_places() -> None:
    old = events.TaskRekeyed(
        at=NOON,
        applied_to=4,
        by="ada",
        reason="first",
        kind=events.RekeyKind.BOOST,
        priority_class=PriorityClass.STANDARD,
        boost_s=20.0,
        key=NOON + 10,
    )

    assert sentences([accepted(), old])[-1].startswith("It is due to start by 12:00:10.000")


@for_all(
    st.lists(st.integers(1, 40), min_size=1, max_size=12),
    st.integers(0, 30),
)
def test_the_place_is_how_many_are_due_before_and_the_round_agrees(
    keys: Sequence[int], boost_s: int
) -> None:
    history = in_line(*keys)
    recorded = steered(history, boost(A, float(boost_s)))
    waits = list(history.pool.tasks.values())

    ahead = sum((task.key, task.position) < _order(history) for task in waits)

    places = [event.places for event in recorded if isinstance(event, events.TaskRekeyed)]
    assert all(found is not None and found[1] == 1 + ahead for found in places)
    assert (granted(history, NOON + 100) == [A]) == (ahead == 0)


def _order(history: History) -> tuple[float, int]:
    task = history.pool.tasks[A]
    return task.key, task.position
