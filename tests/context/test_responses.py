"""The cache of responses: exact, per tenant, bounded, and once per task."""

from pathlib import Path
from typing import Any

import pytest

from pointsman.contracts.events import ResponseCached
from pointsman.testing.waiting import wait_until
from tests.context.world import World, a_world

CACHED = "context.response_cached.v1"


async def answered(
    world: World,
    content: str = "Apples",
    **more: Any,  # noqa: ANN401 - fields of a task
) -> str:
    """A task with `cache` from acceptance until its response is known; gives its id."""
    before = len(await world.log.events(CACHED))
    task = await world.accept(content, cache=True, **more)
    await world.prepared(task)
    await world.complete(task, "Red.")

    async def cached() -> bool:
        return len(await world.log.events(CACHED)) > before

    await wait_until(cached)
    await world.quiet()
    return str(task)


async def test_an_identical_task_gets_the_earlier_result(world: World) -> None:
    first = await answered(world, parameters={"a": "1", "b": "2"})

    again = await world.accept("Apples", cache=True, parameters={"b": "2", "a": "1"})

    prepared = await world.prepared(again)
    assert (prepared.cached_from, prepared.cached_variant) == (first, "summarize_hashed")
    assert prepared.cached is not None
    assert await world.blobs.get("acme", prepared.cached) == b"Red."
    assert prepared.payload is None


@pytest.mark.parametrize(
    "other",
    [
        {"tenant": "globex"},
        {"family": "classify"},
        {"variants": ("summarize_lead",)},
        {"parameters": {"sentences": "2"}},
        {"content": "Apples "},
    ],
    ids=lambda other: next(iter(other)),
)
async def test_whatever_differs_is_another_task(world: World, other: dict[str, Any]) -> None:
    await answered(world)

    wanted: dict[str, Any] = {"content": "Apples", **other}
    task = await world.accept(**wanted, cache=True)

    prepared = await world.prepared(task)
    assert prepared.cached is None
    assert "no identical task" in prepared.note


async def test_a_task_that_did_not_ask_for_it_is_not_answered_from_the_cache(world: World) -> None:
    await answered(world)

    task = await world.accept("Apples", conversation="new")

    assert (await world.prepared(task)).cached is None


async def test_a_result_is_used_until_it_expires(world: World) -> None:
    await answered(world)

    world.clock.passes(3599)
    assert (await world.prepared(await world.accept("Apples", cache=True))).cached is not None
    world.clock.passes(1)
    assert (await world.prepared(await world.accept("Apples", cache=True))).cached is None


async def test_what_came_from_the_cache_is_not_cached_again(world: World) -> None:
    await answered(world)
    await world.prepared(await world.accept("Apples", cache=True))
    await world.quiet()

    assert len(await world.log.events(CACHED)) == 1
    assert world.view_rows()["tasks"] == []


async def test_with_a_conversation_the_whole_payload_must_be_equal(world: World) -> None:
    for name in ("one", "two"):
        await world.turn("Apples", "Red.", name)
    first = await answered(world, "And pears?", conversation="one")

    same = await world.accept("And pears?", conversation="two", cache=True)
    await world.turn("Bees", "Yellow.", "one")
    other = await world.accept("And pears?", conversation="one", cache=True)

    assert (await world.prepared(same)).cached_from == first
    assert (await world.prepared(other)).cached is None


async def test_a_result_whose_bytes_are_gone_is_not_given(world: World) -> None:
    await answered(world)
    (event,) = await world.log.decoded(CACHED)
    assert isinstance(event, ResponseCached)
    world.blobs.corrupt("acme", event.result)

    task = await world.accept("Apples", cache=True)

    assert (await world.prepared(task)).cached is None


async def test_the_oldest_response_goes_out(tmp_path: Path) -> None:
    async with a_world(tmp_path, following=False) as world:
        await world.end()
        world.responses = 3
        await world.begin()
        for name in ("a", "b", "c", "d"):
            await answered(world, name)

        gone = await world.prepared(await world.accept("a", cache=True))
        kept = await world.prepared(await world.accept("b", cache=True))

        assert gone.cached is None
        assert kept.cached is not None


async def test_responses_are_known_after_a_restart_and_recorded_once(world: World) -> None:
    first = await answered(world)
    await world.end()
    world.delete_view()
    await world.begin()
    await world.quiet()

    prepared = await world.prepared(await world.accept("Apples", cache=True))

    assert prepared.cached_from == first
    assert len(await world.log.events(CACHED)) == 1
    row = await world.now.questions.pool()
    assert (row.responses, row.response_hits, row.response_misses) == (1, 1, 0)
