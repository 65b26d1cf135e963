"""The recorded load under another policy, and how far the simulation itself is off."""

from collections.abc import Sequence
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from pointsman.contracts.commands import CancelTask
from pointsman.contracts.leases import RunCompleted
from pointsman.contracts.topics import EventCodec
from pointsman.eventstore import SqliteEventStore
from pointsman.eventstore.ports import Append, NewEvent
from pointsman.policy.parameters import ParametersError, read_parameters
from pointsman.scheduler.domain.attempts.ends import decide_cancel, decide_report
from pointsman.time_machine.whatif.calibration import calibrate
from pointsman.time_machine.whatif.comparison import NothingAskedError, what_if
from pointsman.time_machine.whatif.recorded_load import RecordedLoad, read_load
from tests.support.log_rows import rows_of
from tests.support.scheduling import (
    NOON,
    RESULT,
    Entry,
    History,
    accepted,
    attached,
    given,
    model,
    report,
)

RUN_S = 2.0


def one_slot(tasks: int, *, every_s: float = 1.0) -> History:
    """Tasks that come faster than one slot runs them, each for two seconds."""
    history = given(model(service_s=RUN_S), attached())
    waiting = [NOON + every_s * number for number in range(tasks)]
    free_at, number = NOON, 0
    while waiting or history.pool.tasks:
        while waiting and waiting[0] <= free_at:
            at = waiting.pop(0)
            history.append(UUID(int=number + 1), accepted(at=at))
            number += 1
        if not history.pool.tasks:
            free_at = waiting[0]
            continue
        (granted,) = history.round(free_at)
        free_at += RUN_S
        done = RunCompleted(result=RESULT, run_s=RUN_S)
        while waiting and waiting[0] <= free_at:
            at = waiting.pop(0)
            history.append(UUID(int=number + 1), accepted(at=at))
            number += 1
        ended = decide_report(history.pool, report(granted.stream, 1, done), at=free_at, draw=0.0)
        assert ended is not None
        assert history.record(ended)
    return history


def load_of(
    entries: Sequence[Entry], *, begin: float = NOON, end: float = NOON + 999
) -> RecordedLoad:
    return read_load(rows_of(entries), "main", begin=begin, end=end)


def test_the_load_holds_arrivals_waits_and_slot_times() -> None:
    load = load_of(one_slot(4).entries)

    tasks = sorted(load.tasks.values(), key=lambda task: task.arrival)
    assert [task.arrival - NOON for task in tasks] == [0, 1, 2, 3]
    assert [(task.begun_at or 0) - NOON for task in tasks] == [0, 2, 4, 6]
    assert [task.occupied_s for task in tasks] == [RUN_S] * 4
    assert (load.places, load.slots, load.dedicated) == (1, 1, False)


def test_the_recorded_policy_is_simulated_as_it_was() -> None:
    calibrated = calibrate(load_of(one_slot(12).entries))

    assert [task.service_s for task in calibrated.trace] == [RUN_S] * 12
    assert calibrated.waits_s == [float(number) for number in range(12)]
    assert (calibrated.drawn, calibrated.cached, calibrated.cancelled) == (0, 0, 0)


def test_tasks_that_never_ran_take_a_run_of_their_variant() -> None:
    history = one_slot(3)
    history.append(UUID(int=99), accepted(at=NOON + 50))

    calibrated = calibrate(load_of(history.entries))

    assert calibrated.drawn == 1
    assert calibrated.trace[-1].service_s == RUN_S
    assert len(calibrated.waits_s) == 3


def test_tasks_that_somebody_cancelled_before_they_ran_are_left_out() -> None:
    history = one_slot(3)
    history.append(UUID(int=99), accepted(at=NOON + 50))
    command = CancelTask(command_id="1", task=UUID(int=99), by="ada")
    ended = decide_cancel(history.pool, command, at=NOON + 51)
    assert ended is not None
    assert history.record(ended)

    calibrated = calibrate(load_of(history.entries))

    assert (len(calibrated.trace), calibrated.cancelled) == (3, 1)


def test_the_recorded_policy_has_the_parameters_that_the_log_set() -> None:
    history = one_slot(2)
    wished = read_parameters("swap_share = 0.2")
    told = history.pool.policy.decide(wished, "policy.toml", "here", at=NOON + 1, applied_to=0)
    assert told is not None
    history.append(history.pool.policy.stream, told)

    load = load_of(history.entries)

    assert load.parameters == wished


def test_only_what_arrived_in_the_time_is_looked_at() -> None:
    load = load_of(one_slot(6).entries, begin=NOON + 1.5, end=NOON + 4.5)

    # The second task waited when the time began, the fifth is the last that came in it.
    assert sorted(task.arrival - NOON for task in load.tasks.values()) == [1.5, 2, 3, 4]


async def recorded_in(log: Path, history: History) -> None:
    codec = EventCodec()
    async with SqliteEventStore(log) as store:
        for entry in history.entries:
            topic, state = codec.topic(entry.event), codec.encode(entry.event)
            new = NewEvent(uuid4(), entry.stream, entry.version, topic, state, entry.event)
            await store.append(Append([new]))


async def test_two_policies_stand_side_by_side_with_the_error_of_the_first(tmp_path: Path) -> None:
    log = tmp_path / "log.db"
    await recorded_in(log, one_slot(20))

    found = what_if(log, "main", begin=NOON, end=NOON + 99, policy="fifo")
    larger = what_if(log, "main", begin=NOON, end=NOON + 99, policy="fifo", devices=2)

    assert found["recorded"]["mean_wait_s"] == pytest.approx(9.5)
    assert found["error"]["mean_wait_s"] == pytest.approx(0, abs=0.2)
    assert found["other"]["policy"] == "fifo"
    assert found["change"]["mean_wait_s"] == pytest.approx(0, abs=0.2)
    assert larger["other"]["waits"]["mean_wait_s"] < 2
    assert larger["calibrated"] == found["calibrated"]
    assert found["assumed"]


async def test_a_time_without_tasks_and_an_unknown_policy_are_refused(tmp_path: Path) -> None:
    log = tmp_path / "log.db"
    await recorded_in(log, one_slot(2))

    with pytest.raises(NothingAskedError):
        what_if(log, "main", begin=NOON + 90, end=NOON + 99, policy="fifo")
    with pytest.raises(ParametersError):
        what_if(log, "main", begin=NOON, end=NOON + 99, policy="no-such-policy")
