"""The recorded load: from when each task could have run, and for how long it would."""

from collections.abc import Sequence
from typing import Final
from uuid import UUID

import msgspec
import pytest

from pointsman.contracts import events
from pointsman.contracts.events import Decision, DeviceMode, ScopeKind
from pointsman.time_machine.whatif.calibration import calibrate
from tests.support.recorded_loads import (
    DEVICE,
    END,
    POOL,
    asked,
    by_ada,
    completes,
    load_of,
    one_device,
    pauses,
)
from tests.support.scheduling import NOON, A, B, History, attached, given, model
from tests.support.splitting import LIMIT, Splitting


def waited(history: History, *, begin: float = NOON) -> list[float]:
    """Recorded waits, in the order of arrival."""
    return [round(wait, 6) for wait in calibrate(load_of(history, begin=begin)).waits_s]


def test_the_sleep_of_a_task_that_runs_later_is_no_wait() -> None:
    history = one_device((A, asked(not_before=NOON + 60)))

    history.round(NOON + 63)

    assert waited(history) == [3]


def test_its_context_may_be_there_long_before_its_time() -> None:
    history = one_device((A, asked(not_before=NOON + 60, conversation="c-1")))
    history.append(A, events.TaskPrepared(at=NOON + 1, applied_to=0, kept=1))

    history.round(NOON + 63)

    assert waited(history) == [3]


@pytest.mark.parametrize("begin", [NOON, NOON + 20])
def test_what_depends_on_a_task_arrives_when_that_has_completed(begin: float) -> None:
    history = one_device((A, asked()))
    history.append(B, asked(NOON + 1, depends_on=(str(A),), awaits=(str(A),)))
    history.round(NOON + 2)
    completes(history, A, NOON + 32)

    history.round(NOON + 36)

    # A task that ran when the time begins is no part of it; what depends on it is.
    assert waited(history, begin=begin)[-1] == 4


def test_the_time_in_which_an_operator_held_a_task_is_no_wait() -> None:
    history = one_device((A, asked()))
    history.append(A, by_ada(events.TaskHeld, NOON + 1))
    history.append(A, by_ada(events.TaskReleased, NOON + 100))

    history.round(NOON + 102)

    # A second before the hold, and two behind it.
    assert waited(history) == [3]


def test_a_hold_of_a_task_that_runs_changes_no_wait() -> None:
    history = one_device((A, asked()))
    history.round(NOON + 3)
    history.append(A, by_ada(events.TaskHeld, NOON + 4))
    history.append(A, by_ada(events.TaskReleased, NOON + 100))

    assert waited(history) == [3]


SCOPES: Final = (
    (ScopeKind.POOL, "main"),
    (ScopeKind.TENANT, "acme"),
    (ScopeKind.FAMILY, "summarize"),
    (ScopeKind.MODEL, "fast"),
)


@pytest.mark.parametrize(("kind", "name"), SCOPES)
def test_the_time_of_a_pause_is_no_wait(kind: ScopeKind, name: str) -> None:
    history = one_device((A, asked()))
    pauses(history, kind, name, since=NOON + 1, until=NOON + 50)

    history.round(NOON + 57)

    assert waited(history) == [8]


@pytest.mark.parametrize(("kind", "name"), SCOPES)
@pytest.mark.parametrize("end", [NOON + 0.5, NOON + 20, NOON + 100])
def test_a_pause_is_no_wait_either_where_it_lies_behind_the_time(
    kind: ScopeKind, name: str, end: float
) -> None:
    history = one_device((A, asked()))
    pauses(history, kind, name, since=NOON + 1, until=NOON + 50)
    history.round(NOON + 57)

    assert calibrate(load_of(history, end=end)).waits_s == [8]


def test_a_pause_of_others_changes_no_wait() -> None:
    history = one_device((A, asked()))
    pauses(history, ScopeKind.TENANT, "initech", since=NOON + 1, until=NOON + 50)

    history.round(NOON + 57)

    assert waited(history) == [57]


def test_the_time_of_two_pauses_counts_once() -> None:
    history = one_device((A, asked()))
    pauses(history, ScopeKind.TENANT, "acme", since=NOON + 1)
    pauses(history, ScopeKind.POOL, "main", since=NOON + 2, until=NOON + 20)

    history.append(
        POOL,
        by_ada(events.PoolResumed, NOON + 30, kind=ScopeKind.TENANT, name="acme"),
    )
    history.round(NOON + 31)

    assert waited(history) == [2]


KEPT_BACK: Final[Sequence[tuple[str, events.TaskAccepted, Sequence[Decision]]]] = (
    ("a time", asked(not_before=END + 1), ()),
    ("a task", asked(awaits=(str(B),)), ()),
    ("an operator", asked(), (by_ada(events.TaskHeld, NOON + 1),)),
    (
        "an operator until it expired",
        asked(deadline=NOON + 9),
        (
            by_ada(events.TaskHeld, NOON + 1),
            events.TaskExpired(at=NOON + 9, applied_to=0, deadline=NOON + 9, reason="over"),
        ),
    ),
)


@pytest.mark.parametrize(
    ("task", "more"), [case[1:] for case in KEPT_BACK], ids=[case[0] for case in KEPT_BACK]
)
def test_what_is_kept_back_to_the_end_is_left_out(
    task: events.TaskAccepted, more: Sequence[Decision]
) -> None:
    history = one_device((A, task))
    history.append(A, *more)

    calibrated = calibrate(load_of(history))

    assert (calibrated.trace, calibrated.kept_back, calibrated.expired) == ([], 1, 0)


def test_what_a_pause_keeps_back_to_the_end_is_left_out() -> None:
    history = one_device((A, asked()))
    pauses(history, ScopeKind.FAMILY, "summarize", since=NOON + 1)

    calibrated = calibrate(load_of(history))

    assert (calibrated.trace, calibrated.kept_back) == ([], 1)


def test_what_failed_before_it_ran_is_left_out() -> None:
    history = one_device((A, asked()))
    history.append(
        A,
        events.TaskFailed(
            at=NOON + 1, applied_to=0, code="dependency_failed", message="", attempts=0
        ),
    )

    calibrated = calibrate(load_of(history))

    assert (calibrated.trace, calibrated.not_run) == ([], 1)


def test_of_a_task_that_is_cut_its_parts_count() -> None:
    world = Splitting()
    world.submit(5 * LIMIT)
    world.round()
    world.works(parts=3)

    calibrated = calibrate(load_of(world.history))

    assert (len(calibrated.trace), calibrated.wholes) == (3, 1)


def test_a_load_takes_the_unload_before_it_too() -> None:
    device = msgspec.structs.replace(attached(), mode=DeviceMode.DEDICATED)
    history = given(model(), device, (A, asked()))
    changed = events.ResidencyChanged(
        at=NOON + 3,
        applied_to=0,
        device="cpu-0",
        generation=1,
        residency=device.residency,
        loaded="fast",
        load_s=2.0,
        unload_s=0.5,
    )
    history.append(DEVICE, changed)

    calibrated = calibrate(load_of(history))

    assert [task.load_s for task in calibrated.trace] == [2.5]
    assert (calibrated.times.loads, calibrated.times.load_error) == (1, 0)


def test_the_error_of_a_drawn_run_is_what_draws_miss_of_those_that_ran() -> None:
    history = one_device()
    for number, run_s in enumerate((1.0, 3.0, 1.0, 3.0), start=1):
        at = NOON + 10 * number
        history.append(UUID(int=number), asked(at))
        history.round(at)
        completes(history, UUID(int=number), at + run_s)
    history.append(UUID(int=9), asked(NOON + 90))

    times = calibrate(load_of(history)).times

    assert (times.recorded, times.drawn) == (4, 1)
    assert times.drawn_error is not None
    assert 0 < times.drawn_error <= 1


@pytest.mark.parametrize(("gangs", "devices"), [(True, 2), (False, 1)])
def test_a_model_of_several_devices_takes_them_where_the_policy_knows_that(
    gangs: bool,
    devices: int,
) -> None:
    device = msgspec.structs.replace(attached(), mode=DeviceMode.DEDICATED)
    large = msgspec.structs.replace(model(), devices_per_instance=2)
    history = given(large, device, (A, asked()))

    calibrated = calibrate(load_of(history), gangs=gangs)

    assert [task.devices_per_instance for task in calibrated.trace] == [devices]
    assert calibrated.gangs == 1
