"""The view of other services' events."""

import random
from contextlib import closing
from uuid import uuid4

from pointsman.contracts.events import (
    AlertCleared,
    AlertRaised,
    AttemptLost,
    AttemptTimedOut,
    DeviceDetached,
    DeviceResumed,
    DeviceSuspended,
    QualityThresholdMoved,
    TaskCancelled,
)
from pointsman.degradation.adapters.surroundings_projection import NAME
from pointsman.degradation.domain.surroundings import StandingAlert
from pointsman.eventstore.projections import view_path
from pointsman.runtime.durable_sqlite import connect_reader
from tests.degradation.shell import World, attached, attempt_failed, completed, granted, running

DEVICE = uuid4()
_ENDED = 0.9


def raised(alert: str, subject: str) -> AlertRaised:
    return AlertRaised(
        at=1.0, applied_to=0, alert=alert, subject=subject, value=2.0, threshold=1.0, unit="s",
        for_s=30.0, since=0.0,
    )  # fmt: skip


def cleared(alert: str, subject: str) -> AlertCleared:
    return AlertCleared(
        at=2.0, applied_to=0, alert=alert, subject=subject, value=0.5, threshold=1.0, raised_at=1.0
    )


async def test_alerts_stand_until_they_are_cleared(world: World) -> None:
    stream = uuid4()
    await world.tell(stream, raised("task_latency", "main"), raised("gpu_memory", "gpu-0"))
    await world.tell(stream, cleared("task_latency", "main"))

    async with running(world) as shell:
        await shell.follow()
        known = await shell.view.read()

    assert known.alerts == (StandingAlert("gpu_memory", "gpu-0"),)


async def test_models_thresholds_and_devices_are_known_as_they_were_last_recorded(
    world: World,
) -> None:
    await world.models()
    moved = QualityThresholdMoved(
        at=1.0, applied_to=0, family="summarize", before=0.0, threshold=0.4, average=0.6, ratings=9
    )
    await world.tell(uuid4(), moved)

    async with running(world) as shell:
        await shell.follow()
        known = await shell.view.read()

    assert known.variants["large"].memory_mib == 800.0
    assert known.thresholds == {"summarize": 0.4}
    assert known.devices["gpu-0"].variants == ("large", "small")
    assert known.position == await world.store.head()


async def test_a_device_counts_while_it_serves(world: World) -> None:
    served: list[bool] = []
    changes = (
        attached("gpu-0", "large"),
        DeviceSuspended(at=1.0, applied_to=0, device="gpu-0", reason="canary"),
        DeviceResumed(at=1.0, applied_to=0, device="gpu-0"),
        DeviceDetached(at=1.0, applied_to=0, device="gpu-0", reason="gone"),
    )

    async with running(world) as shell:
        for change in changes:
            await world.tell(DEVICE, change)
            await shell.follow()
            served.append("gpu-0" in (await shell.view.read()).devices)

    assert served == [True, False, True, False]


async def test_failures_in_a_row_are_counted_by_variant(world: World) -> None:
    await world.models()
    timed_out = AttemptTimedOut(
        at=1.0, applied_to=0, attempt=1, device="gpu-0", run_timeout_s=1.0, retry_at=1.0
    )
    await world.tell(uuid4(), granted("large"), completed("large"))
    await world.tell(uuid4(), granted("large"), attempt_failed("model_error"))
    await world.tell(uuid4(), granted("large"), timed_out)
    await world.tell(uuid4(), granted("large"), attempt_failed("invalid_input"))
    await world.tell(uuid4(), granted("small"), attempt_failed("bad_output"))
    await world.tell(uuid4(), granted("small"), completed("small"))

    async with running(world) as shell:
        await shell.follow()
        known = await shell.view.read()

    (streak,) = known.streaks
    assert (streak.pool, streak.variant, streak.count) == ("main", "large", 2)
    assert [failure.code for failure in streak.recent] == ["model_error", "run_timeout"]


async def test_an_attempt_that_was_granted_before_a_restart_is_still_known(world: World) -> None:
    await world.models()
    task = uuid4()
    await world.tell(task, granted("large"))
    async with running(world) as shell:
        await shell.follow()

    await world.tell(task, attempt_failed("model_error"))
    async with running(world) as shell:
        await shell.follow()
        (streak,) = (await shell.view.read()).streaks

    assert streak.count == 1


async def test_a_result_that_was_found_again_speaks_for_no_variant(world: World) -> None:
    await world.models()
    await world.fails("model_error")
    await world.tell(uuid4(), completed("large", device=""))

    async with running(world) as shell:
        await shell.follow()
        (streak,) = (await shell.view.read()).streaks

    assert streak.count == 1


async def test_a_view_that_is_rebuilt_is_equal_to_the_old_one(world: World) -> None:
    await some_history(world, random.Random(7))
    async with running(world) as shell:
        await shell.follow()
        before = tables(world)

        await shell.view.rebuild()
        await shell.follow()
        after = tables(world)

    assert before["streaks"]
    assert before["grants"]
    assert after == before


async def test_a_view_that_followed_step_by_step_is_equal_to_one_made_at_once(
    world: World,
) -> None:
    chance = random.Random(8)
    async with running(world) as shell:
        for _ in range(20):
            await some_history(world, chance, tasks=5)
            await shell.follow()
        followed = tables(world)

        await shell.view.rebuild()
        await shell.follow()
        at_once = tables(world)

    assert at_once == followed


async def some_history(world: World, chance: random.Random, tasks: int = 200) -> None:
    """Tasks that overlap and end in every way."""
    await world.models()
    await world.tell(uuid4(), raised("task_latency", "main"))
    waiting = [(uuid4(), chance.choice(["large", "small"])) for _ in range(tasks)]
    for task, variant in waiting:
        await world.tell(task, granted(variant))
    chance.shuffle(waiting)
    for task, variant in waiting:
        lost = AttemptLost(at=1.0, applied_to=0, attempt=1, device="gpu-0", reason="lease_expired")
        ends = (
            completed(variant),
            attempt_failed("model_error"),
            attempt_failed("out_of_memory"),
            attempt_failed("engine_busy"),
            lost,
            TaskCancelled(at=1.0, applied_to=0, by="ada", reason=""),
        )
        if chance.random() < _ENDED:
            await world.tell(task, chance.choice(ends))


def tables(world: World) -> dict[str, list[tuple[object, ...]]]:
    """Every row of the view, without the position that it was written at."""
    with closing(connect_reader(view_path(world.data, NAME))) as db:
        names = [str(row[0]) for row in db.execute("SELECT name FROM sqlite_schema WHERE rootpage")]
        return {
            name: sorted(db.execute(f'SELECT * FROM "{name}"').fetchall())  # noqa: S608 - own names
            for name in names
            if name != "projection" and not name.startswith("sqlite_")
        }
