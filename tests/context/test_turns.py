"""Every completed task of a conversation becomes one turn, in the order of completion."""

import random
from pathlib import Path
from uuid import UUID

import pytest

from pointsman.context.domain.conversation import Conversation, conversation_id
from pointsman.context.domain.project import Project, project_id
from pointsman.context.remembering.archive import context_topics
from pointsman.contracts.events import TaskFailed
from pointsman.eventstore.aggregates import Repository
from pointsman.testing.waiting import wait_until
from tests.context.scheduling import accepted, completed
from tests.context.world import World, a_world

TURN = "conversation.turn_appended.v1"


async def conversation(world: World, name: str = "chat", project: str = "") -> Conversation:
    repository = Repository(world.log.store, context_topics())
    found = await repository.get(Conversation, conversation_id("acme", project, name))
    assert found is not None
    return found


async def tasks_of(world: World, name: str) -> list[UUID]:
    return [turn.task for turn in (await conversation(world, name)).turns]


async def turns(world: World, count: int) -> None:
    async def there() -> bool:
        return len(await world.log.events(TURN)) >= count

    await wait_until(there, timeout_s=60)
    await world.quiet()


async def test_a_turn_refers_to_the_words_of_its_task_and_holds_none(world: World) -> None:
    task = await world.turn("Why is that so?", "Because of this.", project="plan")

    (turn,) = (await conversation(world, project="plan")).turns
    stored = b"".join(bytes(event.data) for event in await world.log.store.read(0))
    assert (turn.task, turn.family, turn.variant) == (task, "summarize", "summarize_hashed")
    assert (turn.input_tokens, turn.result_tokens) == (4, 4)
    assert await world.blobs.get("acme", turn.result) == b"Because of this."
    assert b"Why" not in stored
    assert b"Because" not in stored


async def test_turns_stand_in_the_order_of_completion(world: World) -> None:
    first = await world.accept("First", conversation="chat")
    second = await world.accept("Second", conversation="chat")

    for task in (second, first):
        await world.complete(task, "Done.")
    await turns(world, 2)

    assert await tasks_of(world, "chat") == [second, first]


async def test_a_task_that_ended_otherwise_is_no_turn(world: World) -> None:
    task = await world.accept("First", conversation="chat")
    await world.prepared(task)
    end = TaskFailed(at=world.clock.wall(), applied_to=0, code="c", message="m", attempts=3)
    await world.log.record(task, end, "acme")
    await world.turn("Second", "Done.")

    assert len((await conversation(world)).turns) == 1
    assert world.view_rows()["tasks"] == []


async def test_a_task_without_conversation_leaves_no_trace(world: World) -> None:
    task = await world.accept("First")
    await world.complete(task, "Done.")
    await world.quiet()

    assert world.scheduler.prepared == {}
    assert all(rows == [] for rows in world.view_rows().values())


async def test_a_conversation_of_a_new_project_creates_the_project(world: World) -> None:
    await world.turn("One", "1.", project="plan")
    await world.turn("Two", "2.", "other", project="plan")

    repository = Repository(world.log.store, context_topics())
    project = await repository.get(Project, project_id("acme", "plan"))
    assert project is not None
    assert len(await world.log.events("project.created.v1")) == 1


@pytest.mark.parametrize("seed", range(5))
async def test_whenever_it_is_killed_each_task_becomes_one_turn_in_order(
    world: World, seed: int
) -> None:
    draws = random.Random(seed)
    done: dict[str, list[UUID]] = {"a": [], "b": [], "c": []}
    for number in range(24):
        name = draws.choice("abc")
        task = await world.accept(f"Question {number}", conversation=name, cache=number % 3 == 0)
        await world.complete(task, f"Answer {number}")
        done[name].append(task)
        if draws.random() < 0.4:
            await world.again()
        if draws.random() < 0.2:
            await world.end()
            world.delete_view()
            await world.begin()
    await turns(world, 24)

    for name, tasks in done.items():
        assert await tasks_of(world, name) == tasks
    assert len(await world.log.events(TURN)) == 24


async def test_the_lost_view_is_built_again_equal_and_repeats_nothing(world: World) -> None:
    for number in range(8):
        await world.turn(f"Question {number}", "Yes.", f"chat-{number % 2}", cache=True)
    waiting = await world.accept("Open", conversation="chat-0")
    await world.prepared(waiting)
    await world.quiet()
    head, rows = await world.log.store.head(), world.view_rows()

    await world.end()
    world.delete_view()
    await world.begin()
    await world.quiet()

    assert world.view_rows() == rows
    assert await world.log.store.head() == head
    assert len(rows["tasks"]) == 1


async def test_a_log_that_cannot_be_written_delays_turns_and_keeps_their_order(
    tmp_path: Path,
) -> None:
    async with a_world(tmp_path, following=False) as world:
        tasks = [await world.accept(str(number), conversation="chat") for number in range(5)]
        for task in tasks:
            await world.complete(task, "Done.")

        world.log.store.failure = "disk full"
        world.follow()
        await wait_until(lambda: world.log.store.refused >= 1)
        world.log.store.failure = None

        await turns(world, 5)
        assert await tasks_of(world, "chat") == tasks


async def test_a_result_from_the_cache_is_a_turn_that_names_its_source(world: World) -> None:
    ref = await world.blobs.put("acme", b"Yes.", "text/plain")
    task = await world.accept("Again?", conversation="chat")
    await world.prepared(task)
    end = completed(world.clock.wall(), ref, "summarize_lead", cached_from="an-earlier-task")
    await world.log.record(task, end, "acme")
    await turns(world, 1)

    (turn,) = (await conversation(world)).turns
    assert (turn.cached_from, turn.variant) == ("an-earlier-task", "summarize_lead")


async def test_an_unreadable_result_is_a_turn_all_the_same(world: World) -> None:
    task = await world.accept("Why?", conversation="chat")
    await world.prepared(task)
    ref = await world.blobs.put("acme", b"gone", "text/plain")
    world.blobs.corrupt("acme", ref)
    await world.log.record(task, completed(world.clock.wall(), ref), "acme")
    await turns(world, 1)

    (turn,) = (await conversation(world)).turns
    assert (turn.input_tokens, turn.result_tokens) == (1, 0)


async def test_bytes_under_a_text_label_are_a_turn_that_is_not_embedded(world: World) -> None:
    odd = await world.accept(b"\xff\x00 no text", conversation="chat")
    await world.prepared(odd)
    await world.complete(odd, "Done.")
    await turns(world, 1)

    text = await world.turn("Why?", "Because.", "other")
    await wait_until(lambda: f"embed-turn:{text}" in world.scheduler.submitted)

    assert await tasks_of(world, "chat") == [odd]
    assert f"embed-turn:{odd}" not in world.scheduler.submitted


async def test_a_turn_belongs_to_the_tenant_of_its_task(world: World) -> None:
    ref = await world.blobs.put("globex", b"Mine", "text/plain")
    forged = accepted(world.clock.wall(), ref, tenant="globex", conversation="chat")
    task = UUID(int=7)
    await world.log.record(task, forged, "globex")
    await world.prepared(task)
    await world.complete(task, "Yours.")
    await turns(world, 1)

    assert [event.tenant for event in await world.log.events(TURN)] == ["globex"]
