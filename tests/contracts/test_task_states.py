"""The life of a task: exactly one end, and no way out of it."""

from itertools import product

import pytest

from pointsman.contracts.events import (
    Decision,
    TaskAccepted,
    TaskCompleted,
    TaskGranted,
    TaskPrepared,
)
from pointsman.contracts.task_states import (
    TERMINAL,
    TRANSITIONS,
    IllegalTransitionError,
    TaskState,
    diagram,
    next_state,
)
from pointsman.contracts.topics import TOPICS

TASK_EVENTS = {type_ for topic, type_ in TOPICS.items() if topic.startswith("task.")}


def reachable(start: TaskState) -> set[TaskState]:
    found, frontier = {start}, {start}
    while frontier:
        frontier = {after for (before, _), after in TRANSITIONS.items() if before in frontier}
        frontier -= found
        found |= frontier
    return found


def test_every_event_of_a_task_moves_it_somewhere() -> None:
    assert {event for _, event in TRANSITIONS} == TASK_EVENTS


def test_every_state_is_reached_and_leads_to_an_end() -> None:
    assert reachable(TaskState.NEW) == set(TaskState)
    for state in TaskState:
        assert reachable(state) & TERMINAL


def test_a_terminal_state_has_no_way_out() -> None:
    assert {before for before, _ in TRANSITIONS} == set(TaskState) - TERMINAL
    assert len(TERMINAL) == 6


def test_an_event_that_ends_a_task_ends_it_from_wherever_it_is_allowed() -> None:
    ends = {event for (_, event), after in TRANSITIONS.items() if after in TERMINAL}

    for (_, event), after in TRANSITIONS.items():
        assert (event in ends) == (after in TERMINAL)


def test_a_task_begins_by_being_accepted_and_by_nothing_else() -> None:
    first = {event for before, event in TRANSITIONS if before is TaskState.NEW}

    assert first == {TaskAccepted}
    assert TaskState.NEW not in TRANSITIONS.values()


def states_before(wanted: type[Decision]) -> set[TaskState]:
    return {before for before, event in TRANSITIONS if event is wanted}


def test_an_attempt_completes_a_task_or_the_cached_result_of_another_one_does() -> None:
    assert states_before(TaskCompleted) == {TaskState.GRANTED, TaskState.QUEUED, TaskState.SPLIT}
    assert states_before(TaskGranted) == {TaskState.QUEUED}


def test_only_a_waiting_task_is_prepared_and_it_goes_on_waiting() -> None:
    assert states_before(TaskPrepared) == {TaskState.QUEUED}
    assert next_state(TaskState.QUEUED, TaskPrepared) is TaskState.QUEUED


@pytest.mark.parametrize(
    ("state", "event"),
    [
        pytest.param(state, event, id=f"{state}-{event.__name__}")
        for state, event in sorted(set(product(TaskState, TASK_EVENTS)) - set(TRANSITIONS), key=str)
    ],
)
def test_what_is_not_in_the_table_is_a_defect(state: TaskState, event: type[Decision]) -> None:
    with pytest.raises(IllegalTransitionError) as caught:
        next_state(state, event)

    assert (caught.value.state, caught.value.event) == (state, event)


def test_the_diagram_shows_every_transition_once() -> None:
    drawn = diagram()

    assert drawn.splitlines()[:2] == ["stateDiagram-v2", "    [*] --> new"]
    assert "    queued --> granted: TaskGranted, PartsGranted\n" in drawn
    assert "    granted --> queued: AttemptFailed, AttemptTimedOut, AttemptLost\n" in drawn
    for (before, event), after in TRANSITIONS.items():
        arrows = [line for line in drawn.splitlines() if f" {before} --> {after}:" in line]
        assert len(arrows) == 1
        assert event.__name__ in arrows[0]
    for state in TERMINAL:
        assert f"    {state} --> [*]\n" in drawn
