"""Every task that waits gets an answer in time, whatever goes wrong."""

from pathlib import Path
from uuid import UUID

from pointsman.testing.waiting import wait_until
from tests.context.scheduling import accepted
from tests.context.world import World, a_world


async def test_a_task_that_waits_since_a_moment_is_prepared_after_a_start(tmp_path: Path) -> None:
    async with a_world(tmp_path, following=False) as world:
        old = await world.accept("Old", conversation="chat")
        world.clock.passes(1.9)
        fresh = await world.accept("Fresh", conversation="chat")
        world.clock.passes(0.2)

        world.follow()
        await world.prepared(fresh)
        await world.quiet()

        assert old not in world.scheduler.prepared


async def test_an_assembly_that_was_recorded_before_a_kill_is_used_again(world: World) -> None:
    await world.turn("Apples", "Red.")
    world.scheduler.silent = True
    task = await world.accept("Also apples", conversation="chat")
    await wait_until(lambda: _has_assembly(world))
    world.scheduler.silent = False

    await world.again()

    prepared = await world.prepared(task)
    assert prepared.kept == 1
    assert len(await world.log.events("context.assembled.v1")) == 1


async def test_a_log_that_cannot_be_written_costs_the_context_and_not_the_task(
    world: World,
) -> None:
    await world.turn("Apples", "Red.")
    await world.quiet()
    task = await world.accept("Apples?", conversation="chat", context_tokens=100)
    world.log.store.failure = "disk full"
    await wait_until(lambda: task in world.scheduler.prepared)
    world.log.store.failure = None

    prepared = await world.prepared(task)

    assert prepared.payload is None
    assert "log_unavailable" in prepared.note


async def test_a_missing_input_costs_the_context_and_not_the_task(world: World) -> None:
    await world.turn("Apples", "Red.")
    ref = await world.blobs.put("acme", b"Apples?", "text/plain")
    world.blobs.corrupt("acme", ref)
    task = UUID(int=7)
    event = accepted(world.clock.wall(), ref, conversation="chat")

    await world.log.record(task, event, "acme")

    prepared = await world.prepared(task)
    assert prepared.payload is None
    assert "its words cannot be read (blob_corrupt)" in prepared.note


async def test_a_defect_costs_the_context_and_not_the_task(world: World) -> None:
    await world.turn("Apples", "Red.")
    await world.quiet()
    world.scheduler.embed = _broken

    task = await world.accept("Apples?", conversation="chat")
    prepared = await world.prepared(task)

    assert prepared.payload is None
    assert "could not be made (ValueError)" in prepared.note


def _broken(_text: str) -> bytes:
    raise ValueError("a defect")


async def _has_assembly(world: World) -> bool:
    return bool(await world.log.events("context.assembled.v1"))
