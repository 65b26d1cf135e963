"""The recorded load under another policy, and how far the simulation itself is off."""

from pathlib import Path
from uuid import UUID, uuid4

import pytest

from pointsman.contracts import events
from pointsman.contracts.commands import CancelTask
from pointsman.contracts.events import DeviceMode, ScopeKind
from pointsman.contracts.leases import RunCompleted
from pointsman.contracts.topics import EventCodec
from pointsman.eventstore import SqliteEventStore
from pointsman.eventstore.ports import Append, NewEvent
from pointsman.policy.parameters import ParametersError, read_parameters
from pointsman.scheduler.domain.attempts.ends import decide_cancel, decide_report
from pointsman.time_machine.moments import Span
from pointsman.time_machine.traces import TraceError
from pointsman.time_machine.whatif.calibration import calibrate
from pointsman.time_machine.whatif.comparison import NothingAskedError, what_if
from tests.support.loading_world import LoadingWorld, loading_model
from tests.support.recorded_loads import (
    DEVICE,
    POOL,
    asked,
    by_ada,
    completes,
    load_of,
    pauses,
)
from tests.support.scheduling import (
    NOON,
    RESULT,
    A,
    B,
    History,
    accepted,
    attached,
    given,
    model,
    report,
)

RUN_S = 2.0
SPAN = Span(NOON, NOON + 99)


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


def test_the_load_holds_arrivals_waits_and_slot_times() -> None:
    load = load_of(one_slot(4))

    tasks = sorted(load.tasks.values(), key=lambda task: task.arrival)
    assert [task.arrival - NOON for task in tasks] == [0, 1, 2, 3]
    assert [(task.begun_at or 0) - NOON for task in tasks] == [0, 2, 4, 6]
    assert [task.occupied_s for task in tasks] == [RUN_S] * 4
    assert (len(load.devices), load.slots, load.dedicated) == (1, 1, False)


def test_the_recorded_policy_is_simulated_as_it_was() -> None:
    calibrated = calibrate(load_of(one_slot(12)))

    assert [task.service_s for task in calibrated.trace] == [RUN_S] * 12
    assert calibrated.waits_s == [float(number) for number in range(12)]
    assert (calibrated.times.recorded, calibrated.times.drawn) == (12, 0)
    assert (calibrated.cached, calibrated.not_run) == (0, 0)


def test_tasks_that_never_ran_take_a_run_of_their_variant() -> None:
    history = one_slot(3)
    history.append(UUID(int=99), accepted(at=NOON + 50))

    calibrated = calibrate(load_of(history))

    assert calibrated.times.drawn == 1
    assert calibrated.trace[-1].service_s == RUN_S
    assert len(calibrated.waits_s) == 3


def test_tasks_that_somebody_cancelled_before_they_ran_are_left_out() -> None:
    history = one_slot(3)
    history.append(UUID(int=99), accepted(at=NOON + 50))
    command = CancelTask(command_id="1", task=UUID(int=99), by="ada")
    ended = decide_cancel(history.pool, command, at=NOON + 51)
    assert ended is not None
    assert history.record(ended)

    calibrated = calibrate(load_of(history))

    assert (len(calibrated.trace), calibrated.not_run) == (3, 1)


def test_the_recorded_policy_has_the_parameters_that_the_log_set() -> None:
    history = one_slot(2)
    wished = read_parameters("swap_share = 0.2")
    told = history.pool.policy.decide(wished, "policy.toml", "here", at=NOON + 1, applied_to=0)
    assert told is not None
    history.append(history.pool.policy.stream, told)

    load = load_of(history)

    assert load.parameters == wished


def test_only_what_arrived_in_the_time_is_looked_at() -> None:
    load = load_of(one_slot(6), begin=NOON + 1.5, end=NOON + 4.5)

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

    found = what_if(log, "main", SPAN, policy="fifo")
    larger = what_if(log, "main", SPAN, policy="fifo", devices=2)

    assert found["recorded"]["mean_wait_s"] == pytest.approx(9.5)
    assert found["error"]["mean_wait_s"] == pytest.approx(0, abs=0.2)
    assert found["other"]["policy"] == "fifo"
    assert found["change"]["mean_wait_s"] == pytest.approx(0, abs=0.2)
    assert larger["other"]["waits"]["mean_wait_s"] < 2
    assert larger["calibrated"] == found["calibrated"]
    assert (larger["devices"], larger["slots"]) == (2, 1)
    assert any("the other policy: 2 device(s) with 1 slot(s)" in each for each in larger["assumed"])
    assert not any("other policy" in each for each in found["assumed"])


@pytest.mark.parametrize("policy", ["fifo", "edf", "pointsman"])
async def test_a_drain_is_repeated_under_every_policy(tmp_path: Path, policy: str) -> None:
    history = given(model(service_s=RUN_S), attached())
    history.append(DEVICE, by_ada(events.DrainStarted, NOON + 1, device="cpu-0"))
    history.append(A, asked(NOON + 2))
    history.append(B, asked(NOON + 3))
    assert history.round(NOON + 4) == []
    history.append(DEVICE, by_ada(events.DrainEnded, NOON + 30, device="cpu-0"))
    history.round(NOON + 30)
    completes(history, A, NOON + 30 + RUN_S)
    history.round(NOON + 30 + RUN_S)
    completes(history, B, NOON + 30 + 2 * RUN_S)
    await recorded_in(tmp_path / "log.db", history)

    found = what_if(tmp_path / "log.db", "main", SPAN, policy=policy)

    assert found["recorded"]["mean_wait_s"] == pytest.approx(28.5)
    assert found["error"]["mean_wait_s"] == pytest.approx(0, abs=0.001)
    assert found["change"]["mean_wait_s"] == pytest.approx(0, abs=0.001)


async def test_the_error_is_that_of_tasks_that_ran_in_both(tmp_path: Path) -> None:
    history = given(model(service_s=RUN_S), attached(), (A, asked(NOON)))
    history.round(NOON)
    completes(history, A, NOON + RUN_S)
    history.append(POOL, by_ada(events.ModelLimited, NOON + 3, variant="fast", running=0))
    history.append(B, asked(NOON + 4))
    assert history.round(NOON + 5) == []
    await recorded_in(tmp_path / "log.db", history)

    found = what_if(tmp_path / "log.db", "main", SPAN, policy="fifo")

    # The second begins when the limit is over with the time that is looked at.
    assert found["calibrated"]["waits"]["max_wait_s"] == pytest.approx(95)
    assert (found["recorded"]["ran"], found["calibrated"]["waits"]["ran"]) == (1, 2)
    assert found["error"]["mean_wait_s"] is None


async def test_a_device_is_asked_for_with_all_its_slots(tmp_path: Path) -> None:
    history = given(model(), attached(slots=4), (UUID(int=1), accepted()))
    history.round(NOON)
    await recorded_in(tmp_path / "log.db", history)

    found = what_if(tmp_path / "log.db", "main", SPAN, policy="pointsman", devices=2)

    assert (found["devices"], found["slots"]) == (2, 4)
    assert found["calibrated"]["parameters"]["devices"] == 4
    assert found["other"]["parameters"]["devices"] == 8
    assert "as all is loaded, each slot counts as a device" in found["assumed"]


async def test_models_of_several_devices_are_simulated_by_our_policy_only(tmp_path: Path) -> None:
    log = tmp_path / "log.db"
    models = [loading_model("large", devices=2), loading_model("small", load_s=5.0)]
    gpus = {"gpu-0": DeviceMode.DEDICATED, "gpu-1": DeviceMode.DEDICATED}
    world = LoadingWorld(models, gpus, verify=False)
    for number in range(6):
        world.submit("large" if number % 3 == 0 else "small", at_s=float(number))
    world.run()
    await recorded_in(log, world.history)
    span = Span(NOON, NOON + 999)

    ours = what_if(log, "main", span, policy="pointsman")
    plain = what_if(log, "main", span, policy="fifo")

    told = "fifo knows no model that takes several devices: 1 model(s) that do take one here"
    assert any(each.startswith(told) for each in plain["assumed"])
    assert ours["recorded"]["ran"] == ours["calibrated"]["waits"]["ran"] == 6
    assert ours["error"]["mean_wait_s"] == pytest.approx(0, abs=0.25)
    with pytest.raises(TraceError, match="large takes 2 devices; there are 1"):
        what_if(log, "main", span, policy="pointsman", devices=1)


async def test_one_policy_set_twice_has_two_names(tmp_path: Path) -> None:
    log, policy = tmp_path / "log.db", tmp_path / "eager.toml"
    policy.write_text("swap_share = 0.2\n")
    await recorded_in(log, one_slot(3))

    default = what_if(log, "main", SPAN, policy="pointsman")
    by_file = what_if(log, "main", SPAN, policy=str(policy))

    assert default["calibrated"]["name"] == "pointsman as recorded"
    assert default["other"]["name"] == "pointsman by default"
    assert by_file["other"]["name"] == "pointsman by eager.toml"


async def test_everything_that_is_assumed_is_told(tmp_path: Path) -> None:
    history = one_slot(3)
    history.append(UUID(int=99), asked(NOON + 50, boost_s=5.0))
    history.append(UUID(int=98), asked(NOON + 50, not_before=NOON + 10_000))
    pauses(history, ScopeKind.TENANT, "acme", since=NOON + 51, until=NOON + 52)
    history.append(DEVICE, by_ada(events.DrainStarted, NOON + 53, device="cpu-0"))
    await recorded_in(tmp_path / "log.db", history)

    found = what_if(tmp_path / "log.db", "main", SPAN, policy="fifo")

    told = "\n".join(found["assumed"])
    assert "repeated: pauses 1, drains of devices 1" in told
    assert "left out: 1 task(s) that were kept back by a time" in told
    assert "1 task(s) that did not run to an end take a recorded run of their variant" in told
    assert "a draw misses a run by 0.0% on average" in told
    assert "only the recorded waits have it: boosts by senders 1" in told
    assert all(what in told for what in found["not_repeated"])
    assert found["repeated"]["drains of devices"] == 1
    assert found["times"]["drawn"] == 1


async def test_a_time_without_tasks_and_an_unknown_policy_are_refused(tmp_path: Path) -> None:
    log = tmp_path / "log.db"
    await recorded_in(log, one_slot(2))

    with pytest.raises(NothingAskedError):
        what_if(log, "main", Span(NOON + 90, NOON + 99), policy="fifo")
    with pytest.raises(ParametersError):
        what_if(log, "main", SPAN, policy="no-such-policy")
