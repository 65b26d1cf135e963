"""The judge finds what is wrong with a log, and nothing in a good one."""

from collections.abc import Callable, Sequence
from uuid import UUID, uuid4

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import given

from pointsman.contracts.events import Decision, LeaderElected
from pointsman.contracts.history import judge
from pointsman.contracts.recorded import Recorded
from pointsman.contracts.streams import stream_id
from pointsman.contracts.task_states import TaskState
from pointsman.contracts.topics import AGGREGATE_TOPICS
from tests.support.task_events import (
    NOON,
    a_plain_life,
    accepted,
    as_recorded,
    attempt_lost,
    cancelled,
    completed,
    completed_from_cache,
    dead_letter,
    expired,
    failed,
    granted,
    prepared,
    stream_of,
)

ENDED = [
    [accepted(), granted(), completed()],
    [accepted(), expired()],
    [accepted(), granted(), cancelled()],
    [accepted(), granted(), attempt_lost(), granted(2), failed()],
    [accepted(), prepared(), granted(), completed()],
    [accepted(), completed_from_cache()],
]
POOL = stream_id("pool", "main")


@st.composite
def histories(draw: st.DrawFn) -> list[Recorded]:
    """Clean logs: ended tasks, interleaved."""
    lives = draw(st.lists(st.sampled_from(ENDED), min_size=1, max_size=6))
    streams = [stream_of(uuid4(), life) for life in lives]
    turns = draw(st.permutations([i for i, stream in enumerate(streams) for _ in stream]))
    queues = [iter(stream) for stream in streams]
    return as_recorded([next(queues[turn]) for turn in turns])


def elected(epoch: int) -> Decision:
    return LeaderElected(at=NOON, applied_to=0, pool="main", epoch=epoch, holder="a")


def changed(event: Recorded, **fields: object) -> Recorded:
    return msgspec.structs.replace(event, **fields)


@given(histories())
def test_a_clean_history_is_found_clean(log: list[Recorded]) -> None:
    verdict = judge(log)

    assert verdict.clean
    assert verdict.faults() == {}
    assert verdict.events == len(log)
    assert verdict.accepted == sum(verdict.ended.values())


def test_an_empty_log_is_clean() -> None:
    assert judge([]).clean


def test_tasks_are_counted_by_how_they_ended() -> None:
    log = as_recorded([event for life in [*ENDED, ENDED[0]] for event in stream_of(uuid4(), life)])

    verdict = judge(log)

    assert verdict.accepted == 7
    assert verdict.ended == {
        TaskState.COMPLETED: 4,
        TaskState.EXPIRED: 1,
        TaskState.CANCELLED: 1,
        TaskState.FAILED: 1,
    }


@given(histories(), st.data())
def test_an_event_that_is_missing_is_found(log: list[Recorded], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(log) - 1))

    verdict = judge([*log[:index], *log[index + 1 :]])

    assert not verdict.clean


@given(histories(), st.data())
def test_a_missing_end_is_a_lost_task(log: list[Recorded], data: st.DataObject) -> None:
    task = data.draw(st.sampled_from([event.stream for event in log]))
    last = max(event.position for event in log if event.stream == task)

    verdict = judge([event for event in log if event.position != last])

    assert verdict.lost == (task,)


@given(histories(), st.data(), st.sampled_from([completed(), failed(), cancelled()]))
def test_a_second_end_is_a_duplicate_result(
    log: list[Recorded], data: st.DataObject, second: Decision
) -> None:
    task = data.draw(st.sampled_from([event.stream for event in log]))
    version = max(event.version for event in log if event.stream == task)
    more = as_recorded(stream_of(task, [second], after=version), after=len(log))

    verdict = judge([*log, *more])

    assert verdict.duplicate_results == (task,)
    assert [illegal.task for illegal in verdict.illegal_transitions] == [task]
    assert set(verdict.faults()) == {"duplicate_results", "illegal_transitions"}


@given(histories(), st.data())
def test_an_event_that_stands_twice_is_found(log: list[Recorded], data: st.DataObject) -> None:
    event = data.draw(st.sampled_from(log))
    again = changed(event, position=len(log) + 1, time_us=log[-1].time_us + 1)

    verdict = judge([*log, again])

    assert verdict.repeated_ids == (event.id,)
    assert verdict.version_faults == (len(log) + 1,)


@given(histories(), st.data())
def test_events_in_the_wrong_order_are_found(log: list[Recorded], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(log) - 2))
    swapped = [*log[:index], log[index + 1], log[index], *log[index + 2 :]]

    verdict = judge(swapped)

    assert verdict.position_faults == (log[index].position,)
    assert verdict.time_faults == (log[index].position,)


@given(histories(), st.data())
def test_a_clock_that_stands_still_is_found(log: list[Recorded], data: st.DataObject) -> None:
    index = data.draw(st.integers(1, len(log) - 1))
    log[index] = changed(log[index], time_us=log[index - 1].time_us)

    assert judge(log).time_faults == (log[index].position,)


@given(histories(), st.data())
def test_a_write_of_an_earlier_leader_is_found(log: list[Recorded], data: st.DataObject) -> None:
    later = data.draw(st.sampled_from([event for event in log if event.version > 1]))
    second_reign = [changed(event, epoch=1 if event is later else 2) for event in log]

    assert judge(second_reign).epoch_faults == (later.position,)


def test_writers_that_lead_nothing_are_no_earlier_leaders() -> None:
    first, *rest = as_recorded(a_plain_life(), epoch=3)

    assert judge([first, *(changed(event, epoch=0) for event in rest)]).clean


@pytest.mark.parametrize(
    ("epochs", "faults"), [([1, 2, 5], ()), ([1, 1], (2,)), ([2, 1, 2, 3], (2, 3))]
)
def test_each_leader_has_a_greater_epoch(epochs: Sequence[int], faults: tuple[int, ...]) -> None:
    log = as_recorded(stream_of(POOL, [elected(epoch) for epoch in epochs]), epoch=0)

    assert judge(log).epoch_faults == faults


def _of_unknown_topic(event: Recorded) -> Recorded:
    return changed(event, type="task.teleported.v1")


def _of_newer_version(event: Recorded) -> Recorded:
    return changed(event, type="dead_letter.recorded.v2")


def _cut_short(event: Recorded) -> Recorded:
    return changed(event, data=msgspec.Raw(bytes(event.data)[:-1]))


@pytest.mark.parametrize("spoil", [_of_unknown_topic, _of_newer_version, _cut_short])
def test_an_unreadable_event_is_found(spoil: Callable[[Recorded], Recorded]) -> None:
    (event,) = as_recorded(stream_of(uuid4(), [dead_letter()]))

    assert judge([spoil(event)]).unreadable == (1,)


@pytest.mark.parametrize("topic", sorted(AGGREGATE_TOPICS))
def test_events_that_another_library_folds_are_nobodys_fault(topic: str) -> None:
    (event,) = as_recorded(stream_of(uuid4(), [dead_letter()]))

    assert judge([changed(event, type=topic, data=msgspec.Raw(b"not ours"))]).clean


@pytest.mark.parametrize("nothing_ran", [completed(), completed_from_cache("")])
def test_a_result_that_no_attempt_and_no_other_task_gave_is_found(nothing_ran: Decision) -> None:
    task = uuid4()

    verdict = judge(as_recorded(stream_of(task, [accepted(), nothing_ran])))

    (illegal,) = verdict.illegal_transitions
    assert (illegal.task, illegal.position, illegal.state) == (task, 2, TaskState.QUEUED)
    assert set(verdict.faults()) == {"illegal_transitions"}


@pytest.mark.parametrize(
    "life",
    [
        [accepted(), granted(), prepared(), completed()],
        [accepted(), completed_from_cache(), prepared()],
        [prepared(), accepted(), completed_from_cache()],
    ],
    ids=["while it runs", "after its end", "before it is accepted"],
)
def test_only_a_waiting_task_can_be_prepared(life: list[Decision]) -> None:
    verdict = judge(as_recorded(stream_of(uuid4(), life)))

    assert [illegal.topic for illegal in verdict.illegal_transitions] == ["task.prepared.v1"]


def test_a_task_that_was_never_accepted_is_found() -> None:
    task: UUID = uuid4()

    verdict = judge(as_recorded(stream_of(task, [granted(), completed()])))

    first, second = verdict.illegal_transitions
    assert (first.task, first.position, first.state, first.topic) == (
        task,
        1,
        TaskState.NEW,
        "task.granted.v1",
    )
    assert second.position == 2
