"""The ladder and the fallbacks on a log: recorded once, across restarts and repetitions."""

from uuid import uuid4

import pytest

from pointsman.contracts.commands import Done, Rejected
from pointsman.contracts.degradation import AskHistory, EndOverride
from pointsman.contracts.events import (
    FallbackEnded,
    FallbackStarted,
    LevelChanged,
    OverrideEnded,
    OverrideSet,
)
from pointsman.contracts.levels import Level
from pointsman.contracts.recorded import Recorded
from pointsman.contracts.telemetry import PoolSample
from pointsman.eventstore.ports import LogUnavailableError
from tests.degradation.pure_ladder import override, reading, sample
from tests.degradation.shell import Shell, World, granted, running


def end(id: str = "end") -> EndOverride:
    return EndOverride(command_id=id, pool="main", by="ada")


async def hears_waits(shell: Shell, *waits: float, per_s: int = 200) -> None:
    """One sample a second."""
    for wait_s in waits:
        shell.world.clock.passes(1.0)
        at = shell.world.clock.wall()
        await shell.hears(sample(at, wait_s=wait_s, queued=9, accepted=int(at * per_s)))


async def levels(world: World) -> list[Level]:
    return [event.level for event in await world.decided() if isinstance(event, LevelChanged)]


async def test_a_long_wait_is_recorded_step_by_step(world: World) -> None:
    async with running(world) as shell:
        await hears_waits(shell, 2.0, 2.0, 2.0, 2.0)

    assert await levels(world) == [Level.CONSERVE, Level.DEGRADE]


async def test_a_restarted_ladder_stands_where_it_stood_and_repeats_nothing(world: World) -> None:
    async with running(world) as shell:
        await hears_waits(shell, 2.0, 2.0, 2.0)
        before = shell.record.stand

    async with running(world) as shell:
        after = shell.record.stand
        await hears_waits(shell, 2.0, 2.0, 2.0)

    assert after == before
    assert await levels(world) == [Level.CONSERVE, Level.DEGRADE]


async def test_the_hold_time_counts_from_the_recorded_moment_across_a_restart(
    world: World,
) -> None:
    async with running(world) as shell:
        await hears_waits(shell, 2.0, 2.0, 2.0)

    async with running(world) as shell:
        row = shell.questions.ladders()[0]
        world.clock.passes(1.5)

        assert row.held_s == 0.0
        assert shell.questions.ladders()[0].held_s == 1.5


async def test_a_log_that_cannot_be_written_puts_the_step_off(world: World) -> None:
    async with running(world) as shell:
        await hears_waits(shell, 2.0)
        world.store.failure = "disk full"
        with pytest.raises(LogUnavailableError):
            await hears_waits(shell, 2.0)
        world.store.failure = None

        await hears_waits(shell, 2.0)

    assert await levels(world) == [Level.CONSERVE]


async def test_stale_readings_keep_the_level_and_an_override_works_all_the_same(
    world: World,
) -> None:
    async with running(world) as shell:
        await hears_waits(shell, 2.0, 2.0, 2.0)
        for _ in range(60):
            world.clock.passes(1.0)
            await shell.look()
        kept = shell.record.stand.level

        answer = await shell.overrides.set(override(Level.NORMAL))

        assert shell.questions.ladders()[0].inputs.unknown == ("pool",)
        assert kept is Level.DEGRADE
        assert isinstance(answer, Done)
        assert shell.record.stand.level is Level.NORMAL


async def test_an_override_and_its_steps_are_one_append(world: World) -> None:
    appended: list[list[str]] = []
    world.store.on_commit(
        lambda committed: appended.append([type(each.event).__name__ for each in committed])
    )
    async with running(world) as shell:
        answer = await shell.overrides.set(override())

    assert answer == Done(detail="main is held at shed until 2026-01-01 12:01:00 UTC")
    assert appended == [["OverrideSet", "LevelChanged", "LevelChanged", "LevelChanged"]]


async def test_a_repeated_command_is_answered_as_before_and_changes_nothing(world: World) -> None:
    async with running(world) as shell:
        first = await shell.overrides.set(override())
        await shell.overrides.end(end())
        world.clock.passes(5.0)
        again = await shell.overrides.set(override())
        other = await shell.overrides.set(override(Level.NORMAL))
        head = await world.store.head()

    assert again == first
    assert isinstance(other, Rejected)
    assert other.code == "id_reused"
    assert head == 5


async def test_an_override_ends_once_when_its_time_is_over(world: World) -> None:
    async with running(world) as shell:
        await shell.overrides.set(override(ttl_s=10.0))
        world.clock.passes(9.0)
        await shell.look()
        standing = shell.record.stand.override
    world.clock.passes(1.0)

    for _ in range(2):
        async with running(world) as shell:
            await shell.look()

    ends = [event for event in await world.decided() if isinstance(event, OverrideEnded)]
    assert standing is not None
    assert [event.reason for event in ends] == ["expired"]


async def test_whoever_ends_an_override_stands_in_the_log(world: World) -> None:
    async with running(world) as shell:
        await shell.overrides.set(override())
        answer = await shell.overrides.end(end())
        nothing = await shell.overrides.end(end("another"))

    assert answer == Done(detail="the ladder of main follows its signals")
    assert nothing == Done(detail="no override stands")
    last = (await world.decided())[-1]
    assert isinstance(last, OverrideEnded)
    assert last.reason == "ada"


async def test_a_later_override_replaces_an_earlier_one(world: World) -> None:
    async with running(world) as shell:
        await shell.overrides.set(override(ttl_s=10.0))
        await shell.overrides.set(override(Level.CONSERVE, ttl_s=3600.0, id="two"))
        world.clock.passes(60.0)
        await shell.look()

        assert shell.record.stand.level is Level.CONSERVE
        assert shell.record.stand.override is not None


async def test_three_failures_start_a_fallback_that_ends_by_itself(world: World) -> None:
    await world.models()
    async with running(world) as shell:
        for _ in range(3):
            await world.fails("model_error")
        await shell.look()
        standing = shell.questions.ladders()[0].fallbacks
        world.clock.passes(30.0)
        await shell.look()

        assert [(row.variant, row.fallback) for row in standing] == [("large", "small")]
        assert shell.questions.ladders()[0].fallbacks == ()
    started, ended = await world.decided()
    assert isinstance(started, FallbackStarted)
    assert isinstance(ended, FallbackEnded)
    assert ended.at == started.until


async def test_failures_that_are_delivered_again_start_no_second_fallback(world: World) -> None:
    await world.models()
    await world.fails("out_of_memory")
    async with running(world) as shell:
        await shell.look()
        await shell.view.rebuild()
        await shell.look()
        world.clock.passes(30.0)
        await shell.look()
        await shell.view.rebuild()
        await shell.look()

    async with running(world) as shell:
        await shell.look()

    kinds = [type(event) for event in await world.decided()]
    assert kinds == [FallbackStarted, FallbackEnded]


async def test_a_variant_that_fails_after_its_return_is_passed_over_for_longer(
    world: World,
) -> None:
    await world.models()
    async with running(world) as shell:
        for wait_s in (30.0, 60.0):
            await world.fails("out_of_memory")
            await shell.look()
            world.clock.passes(wait_s)
            await shell.look()

    starts = [event for event in await world.decided() if isinstance(event, FallbackStarted)]
    assert [event.until - event.at for event in starts] == [30.0, 60.0]


async def test_the_memory_of_a_strategy_is_what_the_readings_say(world: World) -> None:
    await world.models()
    async with running(world) as shell:
        shell.climber.measured(reading("gpu-0", world.clock.wall(), memory=1.0))
        await world.fails("out_of_memory")
        await shell.look()

    (started,) = await world.decided()
    assert isinstance(started, FallbackStarted)
    # The device is full of models: 900 MiB, of which 0.8 are enough for the small one.
    assert (started.fallback, started.strategy.resource_target_mib) == ("small", 100.0)


async def test_the_history_tells_the_latest_first_with_positions(world: World) -> None:
    await world.tell(uuid4(), granted("large"))
    async with running(world) as shell:
        await shell.overrides.set(override(Level.CONSERVE))
        rows = shell.questions.history(AskHistory())
        newest = shell.questions.history(AskHistory(limit=1))

    assert [(row.position, row.topic) for row in rows] == [
        (3, "degradation.level_changed.v1"),
        (2, "degradation.override_set.v1"),
    ]
    assert newest == rows[:1]
    assert rows[1].what == "ada holds it at conserve for 60 s: a drill"
    recorded: Recorded = (await world.store.read(2))[0]
    assert bytes(rows[0].event) == bytes(recorded.data)


async def test_the_state_names_what_the_ladder_stands_on(world: World) -> None:
    async with running(world) as shell:
        await hears_waits(shell, 2.0, 2.0, 2.0)
        await shell.overrides.set(override(Level.DEGRADE))
        (row,) = shell.questions.ladders()

    timers = {timer.condition: timer.for_s for timer in row.timers}
    assert (row.pool, row.level) == ("main", Level.DEGRADE)
    assert isinstance(row.override, OverrideSet)
    assert row.inputs.load_at_best == pytest.approx(2.0, rel=0.01)
    assert [(age.input, age.age_s) for age in row.ages] == [("pool", 0.0)]
    assert timers["predicted wait above 1.5 s (degrade)"] == 2.0
    assert timers["predicted wait above 15 s (shed)"] is None


async def test_a_sample_of_another_pool_is_not_ours(world: World) -> None:
    other = PoolSample(pool="other", at=world.clock.wall(), applied_to=0, queued=0, granted=0)
    async with running(world) as shell:
        await shell.hears(other)

        assert shell.questions.ladders()[0].ages == ()
