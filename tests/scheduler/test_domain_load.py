"""The leader's reading of its pool: what waits, what serves, how long the next task would wait."""

from uuid import UUID

import pytest
from hypothesis import given as over
from hypothesis import settings
from hypothesis import strategies as st

from pointsman.contracts.events import Decision
from pointsman.contracts.levels import Level
from pointsman.contracts.task_states import TaskState
from pointsman.contracts.telemetry import FamilyLoad, PoolSample, SlotLoad
from pointsman.scheduler.domain.attempts.ends import decide_report
from pointsman.scheduler.domain.load import sample_load
from pointsman.scheduler.domain.pool import Pool
from tests.support.busy_day import busy_day
from tests.support.influences import (
    canary,
    fallback_started,
    level_changed,
    preferred,
    threshold_moved,
)
from tests.support.scheduling import (
    NOON,
    A,
    B,
    C,
    History,
    accepted,
    attached,
    given,
    model,
    report,
    suspended,
)

BEST, FAST = model("best", quality=0.9, service_s=1.0), model("fast", quality=0.5, service_s=0.25)
LABEL = model("label", family="classify", quality=0.7, service_s=0.5)
BOTH = ("best", "fast")
OTHERS = UUID(int=77)
"""Stream of what other services record."""
WAITING = tuple((task, accepted(variants=BOTH, key=NOON + 60)) for task in (A, B, C))


def summarize(history: History) -> FamilyLoad:
    return sample_load(history.pool, at=NOON).families[-1]


def test_an_empty_pool_has_nothing_to_tell() -> None:
    assert sample_load(Pool("main"), at=NOON) == PoolSample(
        pool="main", at=NOON, applied_to=0, queued=0, granted=0
    )


def test_a_reading_tells_families_and_devices_apart() -> None:
    history = given(
        BEST, FAST, LABEL, attached(slots=2, variants=("best",)), attached("gpu-0"), suspended()
    )
    history.append(A, accepted())
    history.round(NOON)

    sample = sample_load(history.pool, at=NOON + 1)

    assert [load.family for load in sample.families] == ["classify", "summarize"]
    assert (sample.queued, sample.granted, sample.applied_to) == (0, 1, 8)
    assert sample.devices == (
        SlotLoad(device="cpu-0", state="suspended", slots=2, occupied=0),
        SlotLoad(device="gpu-0", state="ready", slots=1, occupied=1),
    )


def test_what_nobody_serves_has_no_best_and_no_predicted_wait() -> None:
    load = summarize(given(BEST, FAST, *WAITING))

    assert (load.best, load.best_slots, load.best_service_s) == ("", 0, 0.0)
    assert load.predicted_wait_s is None
    assert (load.queued, load.accepted) == (3, 3)


def test_the_predicted_wait_is_the_work_before_a_new_task_over_the_slots_for_it() -> None:
    load = summarize(given(BEST, FAST, attached(slots=2, variants=BOTH), *WAITING))

    assert (load.best, load.best_slots, load.best_service_s) == ("best", 2, 1.0)
    assert load.predicted_wait_s == 1.5


def test_the_time_around_a_run_takes_its_slot_as_well() -> None:
    history = given(FAST, attached(slots=5))
    for n in range(1, 6):
        history.append(UUID(int=n), accepted())
    history.round(NOON)
    for n in range(1, 6):
        told = decide_report(history.pool, report(UUID(int=n), 1), at=NOON + 1, draw=0.5)
        assert told is not None
        assert history.record(told)

    assert summarize(history).best_service_s == 1.0


@pytest.mark.parametrize(
    ("turned", "wait_s"),
    [
        ((), 3.0),
        ((level_changed(Level.CONSERVE),), 3.0),
        ((level_changed(Level.DEGRADE),), 0.75),
        ((level_changed(Level.SHED),), 0.75),
        ((level_changed(Level.DEGRADE), threshold_moved(0.6)), 3.0),
        ((preferred("fast", "best"),), 0.75),
        ((fallback_started("best", "fast"),), 0.75),
    ],
    ids=["normal", "conserve", "degrade", "shed", "threshold", "ratings", "fallback"],
)
def test_the_predicted_wait_is_that_of_the_variant_in_use(
    turned: tuple[Decision, ...], wait_s: float
) -> None:
    history = given(BEST, FAST, attached(variants=BOTH), *WAITING)
    history.append(OTHERS, *turned)

    assert summarize(history).predicted_wait_s == wait_s


def test_a_device_whose_canary_answers_wrongly_does_not_serve() -> None:
    history = given(
        BEST, FAST, attached(variants=("best",)), attached("gpu-0", variants=("fast",)), *WAITING
    )
    assert summarize(history).best == "best"

    history.append(OTHERS, canary("cpu-0", healthy=False))

    assert summarize(history).best == "fast"


def test_tasks_that_wait_for_context_or_for_their_next_attempt_are_waiting() -> None:
    history = given(FAST, attached(), (A, accepted(conversation="c-1")), (B, accepted()))

    assert summarize(history).queued == 2
    history.round(NOON)
    assert summarize(history).queued == 1


@settings(max_examples=25, deadline=None)
@over(seed=st.integers(0, 10_000), steps=st.integers(0, 120))
def test_the_counts_are_those_that_a_look_at_every_task_gives(seed: int, steps: int) -> None:
    day = busy_day(seed, steps=steps)
    tasks = day.pool.tasks.values()

    sample = sample_load(day.pool, at=day.now)

    assert sample.queued == sum(task.state is TaskState.QUEUED for task in tasks)
    assert sample.granted == sum(task.state is TaskState.GRANTED for task in tasks)
    for load in sample.families:
        mine = [task for task in tasks if task.accepted.family == load.family]
        assert load.queued == sum(task.state is TaskState.QUEUED for task in mine)
        assert load.accepted == sum(
            getattr(day.history.of(task)[0], "family", "") == load.family for task in day.accepted
        )
    assert sum(load.queued for load in sample.families) == sample.queued
    for slot in sample.devices:
        assert slot.occupied == day.pool.devices[slot.device].occupied


def test_what_the_ladder_refused_at_the_door_is_told_as_demand() -> None:
    history = given(model("fast"), attached(variants=("fast",)))

    sample = sample_load(history.pool, at=NOON, refused={"summarize": 3})

    assert [load.refused for load in sample.families] == [3]
