"""The bounded memory of conversations: hits, evictions, and its size as behaviour asks for it."""

from pathlib import Path

from pointsman.contracts.events import ContextPoolGrown, ContextPoolResized
from pointsman.contracts.streams import stream_id
from pointsman.testing.waiting import wait_until
from tests.context.world import POOL_BYTES, World, a_world

RESIZED = "context.pool_resized.v1"


async def grow(world: World, factor: float, pool: str = "main") -> int:
    event = ContextPoolGrown(
        at=world.clock.wall(),
        applied_to=0,
        pool=pool,
        factor=factor,
        context_reuse_rate=0.7,
        threshold=0.5,
    )
    return await world.log.record(stream_id("behaviour", pool), event)


async def assemblies(world: World) -> list[bool]:
    return [event.pooled for event in await world.log.decoded("context.assembled.v1")]


async def test_a_conversation_that_goes_on_is_found_in_the_pool(world: World) -> None:
    for number in range(3):
        await world.turn(f"Question {number}", "Yes.")

    row = await world.now.questions.pool()

    assert (row.entries, row.hits, row.misses, row.evictions) == (1, 2, 0, 0)
    assert 0 < row.size_bytes < row.capacity_bytes == POOL_BYTES
    assert await assemblies(world) == [True, True]


async def test_after_a_restart_the_words_are_read_again_once(world: World) -> None:
    await world.turn("Question 1", "Yes.")
    await world.again()

    for number in (2, 3):
        await world.turn(f"Question {number}", "Yes.")

    assert await assemblies(world) == [False, True]
    row = await world.now.questions.pool()
    assert (row.hits, row.misses) == (1, 1)


async def test_a_pool_of_no_size_keeps_nothing_and_contexts_are_the_same(tmp_path: Path) -> None:
    async with a_world(tmp_path, following=False) as world:
        await world.end()
        world.pool_bytes = 0
        await world.begin()
        await world.turn("Apples", "Red.")

        task = await world.accept("Apples?", conversation="chat")

        assert await world.runs_on(task) == "Earlier: Apples\nAnswer: Red.\n\nApples?"
        row = await world.now.questions.pool()
        assert (row.entries, row.hits, row.misses) == (0, 0, 1)


async def test_behaviour_changes_the_capacity_and_the_event_names_the_cause(world: World) -> None:
    await grow(world, 5, pool="another")
    cause = await grow(world, 2)
    await wait_until(lambda: world.now.pool.capacity == 2 * POOL_BYTES)
    second = await grow(world, 1.5)
    await wait_until(lambda: world.now.pool.capacity == 1.5 * POOL_BYTES)

    events = await world.log.decoded(RESIZED)

    assert all(isinstance(event, ContextPoolResized) for event in events)
    assert [(e.before_bytes, e.capacity_bytes, e.cause) for e in events] == [
        (POOL_BYTES, 2 * POOL_BYTES, cause),
        (2 * POOL_BYTES, 1.5 * POOL_BYTES, second),
    ]


async def test_the_capacity_stays_after_a_restart_and_a_wish_is_followed_once(
    world: World,
) -> None:
    await grow(world, 2)
    await wait_until(lambda: world.now.pool.capacity == 2 * POOL_BYTES)
    await world.end()
    world.delete_view()

    life = await world.begin()
    await world.quiet()

    assert life.pool.capacity == 2 * POOL_BYTES
    assert len(await world.log.events(RESIZED)) == 1
