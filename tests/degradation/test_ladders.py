"""Several pools of a group: each climbs for itself."""

from msgspec.structs import replace

from pointsman.contracts.commands import Done, Rejected
from pointsman.contracts.degradation import AskHistory
from pointsman.contracts.events import LevelChanged
from pointsman.contracts.levels import Level
from tests.degradation.pure_ladder import override, reading, sample
from tests.degradation.shell import Shell, World, running

LONG_S = 1.0
"""Predicted wait that leads to `conserve`."""


async def hears(shell: Shell, pool: str, *, wait_s: float, times: int = 3) -> None:
    """Samples of a pool, one a second, and a look at every ladder after each."""
    for _ in range(times):
        heard = sample(shell.world.clock.wall(), wait_s=wait_s, devices=(f"gpu-of-{pool}",))
        shell.ladders.sampled(replace(heard, pool=pool))
        await shell.follow()
        for climber in shell.ladders:
            await climber.look()
        shell.world.clock.passes(1.0)


def levels(shell: Shell) -> dict[str, Level]:
    return {row.pool: row.level for row in shell.questions.ladders()}


async def test_a_pool_that_is_heard_of_has_a_ladder_of_its_own(world: World) -> None:
    async with running(world) as shell:
        await hears(shell, "main", wait_s=0.0, times=1)

        await hears(shell, "second", wait_s=LONG_S)

        assert levels(shell) == {"main": Level.NORMAL, "second": Level.CONSERVE}

    (step,) = [event for event in await world.decided() if isinstance(event, LevelChanged)]
    assert step.pool == "second"


async def test_every_ladder_stands_where_it_stood_after_a_restart(world: World) -> None:
    async with running(world) as shell:
        await hears(shell, "second", wait_s=LONG_S)

    async with running(world) as again:
        again.ladders.open("second")

        assert levels(again) == {"main": Level.NORMAL, "second": Level.CONSERVE}


async def test_a_device_counts_for_the_pool_that_names_it(world: World) -> None:
    async with running(world) as shell:
        await hears(shell, "main", wait_s=0.0, times=1)
        await hears(shell, "second", wait_s=0.0, times=1)

        shell.ladders.measured(reading("gpu-of-second", world.clock.wall(), memory=0.9))

        inputs = {row.pool: row.inputs.device for row in shell.questions.ladders()}
        assert inputs == {"main": None, "second": 0.9}


async def test_an_override_holds_the_ladder_that_it_names_and_no_other(world: World) -> None:
    async with running(world) as shell:
        await hears(shell, "second", wait_s=0.0, times=1)

        answer = await shell.overrides.set(override(Level.SHED, pool="second"))

        assert isinstance(answer, Done)
        assert levels(shell) == {"main": Level.NORMAL, "second": Level.SHED}


async def test_an_override_of_a_pool_that_nobody_heard_of_is_refused(world: World) -> None:
    async with running(world) as shell:
        answer = await shell.overrides.set(override(Level.SHED, pool="other"))

        assert isinstance(answer, Rejected)
        assert answer.code == "unknown_pool"
        assert "main" in answer.next
        assert levels(shell) == {"main": Level.NORMAL}


async def test_the_history_is_that_of_all_pools_or_of_one(world: World) -> None:
    async with running(world) as shell:
        await hears(shell, "second", wait_s=0.0, times=1)
        await shell.overrides.set(override(Level.SHED, pool="second", id="one"))
        await shell.overrides.set(override(Level.CONSERVE, pool="main", id="two"))

        everywhere = [row.pool for row in shell.questions.history(AskHistory())]
        here = [row.pool for row in shell.questions.history(AskHistory(pool="main"))]
        latest = shell.questions.history(AskHistory(limit=1))

    assert set(everywhere) == {"main", "second"}
    assert here == ["main"] * len(here)
    assert here
    assert [row.pool for row in latest] == ["main"]
