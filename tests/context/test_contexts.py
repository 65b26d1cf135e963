"""What a task of a conversation gets to read."""

from typing import Any

import pytest

from pointsman.context.domain.choice import CANDIDATES
from pointsman.contracts.commands import Rejected
from pointsman.contracts.context import OneConversation
from pointsman.contracts.events import ContextAssembled
from pointsman.runtime.blobs import digest
from pointsman.testing.waiting import wait_until
from tests.context.scheduling import UNKNOWN_FAMILY, vector
from tests.context.world import World

ASSEMBLED = "context.assembled.v1"


async def assembled(world: World) -> ContextAssembled:
    """The last one."""
    return (await world.log.decoded(ASSEMBLED))[-1]


async def embedded(world: World, count: int) -> None:
    """Until so many embeddings are known."""
    await wait_until(lambda: len(world.scheduler.submitted) >= count)
    await world.quiet()


def no_vector(_text: str) -> bytes:
    return b"abc"


def no_direction(_text: str) -> bytes:
    return vector()


async def test_the_first_task_of_a_conversation_runs_on_its_input_alone(world: World) -> None:
    task = await world.accept("What is a lease?", conversation="chat")

    prepared = await world.prepared(task)

    assert (prepared.payload, prepared.assembly) == (None, "")
    assert "first turn" in prepared.note
    assert await world.log.events(ASSEMBLED) == []


async def test_a_task_reads_the_earlier_turns_and_then_its_input(world: World) -> None:
    await world.turn("What is a lease?", "A right to report.")
    await world.turn("What is a slot?", "Room for one call.")

    task = await world.accept("What of both?", conversation="chat")

    assert await world.runs_on(task) == (
        "Earlier: What is a lease?\nAnswer: A right to report.\n\n"
        "Earlier: What is a slot?\nAnswer: Room for one call.\n\n"
        "What of both?"
    )
    prepared = await world.prepared(task)
    event = await assembled(world)
    assert (prepared.kept, prepared.dropped, prepared.note) == (2, 0, "")
    assert prepared.payload == event.payload
    assert prepared.tokens == event.tokens
    assert (event.conversation, event.conversation_version) == ("chat", 3)


async def test_the_assembly_is_in_the_log_before_the_scheduler_hears_of_it(world: World) -> None:
    await world.turn("Why?", "Because.")

    task = await world.accept("Why not?", conversation="chat")
    await world.prepared(task)

    (assembly,) = await world.log.events(ASSEMBLED)
    (prepared,) = [e for e in await world.log.events("task.prepared.v1") if e.stream == task]
    assert assembly.position < prepared.position
    assert str(assembly.stream) == (await world.prepared(task)).assembly
    assert assembly.tenant == "acme"


async def test_related_turns_are_kept_rather_than_later_ones(world: World) -> None:
    related, other = "Apples " * 40, "Bees " * 40
    await world.turn(related, "Red.")
    await world.turn(other, "Yellow.")
    await embedded(world, 2)

    task = await world.accept("Apples?", conversation="chat", context_tokens=100)
    await world.prepared(task)

    event = await assembled(world)
    assert event.relevance == "embed"
    assert [item.turn for item in event.kept] == [1]
    assert [(item.turn, item.relevance) for item in event.dropped] == [(2, 0.0)]


async def test_a_turn_without_embedding_gets_one_for_the_next_time(world: World) -> None:
    world.scheduler.refusal = UNKNOWN_FAMILY
    turn = await world.turn("Apples", "Red.")
    await world.quiet()
    world.scheduler.refusal = None

    await world.prepared(await world.accept("Also apples", conversation="chat"))

    await wait_until(lambda: f"embed-turn:{turn}" in world.scheduler.submitted)


@pytest.mark.parametrize(
    ("hindrance", "reason"),
    [
        ({"refusal": UNKNOWN_FAMILY}, "no variant of embed is registered"),
        ({"refusal": Rejected(code="queue_full", message="full")}, "was refused: full"),
        ({"embed": None}, "did not answer within 0.5 s"),
        ({"embed": no_vector}, "no earlier turn has an embedding"),
        ({"embed": no_direction}, "no earlier turn has an embedding"),
    ],
)
async def test_without_embeddings_recency_decides_and_the_event_says_why(
    world: World, hindrance: dict[str, Any], reason: str
) -> None:
    for name, value in hindrance.items():
        setattr(world.scheduler, name, value)
    await world.turn("Apples", "Red.")
    await world.turn("Bees", "Yellow.")
    await world.quiet()

    await world.prepared(await world.accept("Apples?", conversation="chat"))

    event = await assembled(world)
    assert reason in event.relevance
    assert [(item.turn, item.relevance) for item in event.kept] == [(1, None), (2, None)]
    assert event.kept[1].score == 1.0


async def test_an_input_that_fills_the_budget_stands_alone_and_the_event_says_so(
    world: World,
) -> None:
    await world.turn("Why?", "Because.")

    task = await world.accept("x" * 400, conversation="chat", context_tokens=50)
    prepared = await world.prepared(task)

    event = await assembled(world)
    assert prepared.payload is None
    assert "assembly" in prepared.note
    assert (event.kept, event.tokens, event.budget_tokens) == ((), 100, 50)
    assert "tokens, 0 are left" in event.dropped[0].why


async def test_an_input_that_is_no_text_gets_no_context(world: World) -> None:
    await world.turn("Why?", "Because.")
    picture = {"media_type": "image/png", "conversation": "chat"}

    task = await world.accept(b"\x89PNG", **picture)
    broken = await world.accept(b"\xff\xfe", conversation="chat")

    assert "image/png" in (await world.prepared(task)).note
    assert "no UTF-8" in (await world.prepared(broken)).note
    assert await world.log.events(ASSEMBLED) == []


async def test_results_that_are_no_text_are_turns_but_no_candidates(world: World) -> None:
    first = await world.accept("Count", conversation="chat")
    await world.prepared(first)
    await world.complete(first, b'{"n": 3}', media_type="application/json")
    await world.turn("Why?", "Because.")

    await world.prepared(await world.accept("So?", conversation="chat"))

    event = await assembled(world)
    assert [item.turn for item in event.kept] == [2]
    assert [(item.turn, item.why) for item in event.dropped] == [(1, "it is not text alone")]


async def test_words_that_are_gone_are_left_out_with_the_reason(world: World) -> None:
    turn = await world.turn("Why?", "Because.")
    await world.turn("When?", "Now.")
    shown = await world.now.questions.conversation(OneConversation(tenant="acme", name="chat"))
    assert shown is not None
    assert shown.turns[0].task == turn
    world.blobs.corrupt("acme", shown.turns[0].result)
    await world.again()

    await world.prepared(await world.accept("Who?", conversation="chat"))

    dropped = (await assembled(world)).dropped
    assert [(item.turn, item.why) for item in dropped] == [
        (1, "its words cannot be read (blob_corrupt)")
    ]


async def test_only_the_latest_turns_are_looked_at(world: World) -> None:
    for number in range(CANDIDATES + 3):
        await world.turn(f"Question {number}", f"Answer {number}")

    await world.prepared(await world.accept("Q", conversation="chat", context_tokens=100_000))

    event = await assembled(world)
    assert event.older == 3
    assert [item.turn for item in event.kept] == list(range(4, CANDIDATES + 4))


async def test_conversations_of_other_tenants_and_projects_are_other_conversations(
    world: World,
) -> None:
    await world.turn("Secret", "Of acme.")
    elsewhere = [{"tenant": "globex"}, {"project": "plan"}, {"tenant": "globex", "project": "plan"}]

    tasks = [await world.accept("Tell", conversation="chat", **other) for other in elsewhere]

    for task in tasks:
        assert "first turn" in (await world.prepared(task)).note


async def test_embedding_tasks_get_no_context_and_are_of_the_tasks_tenant(world: World) -> None:
    await world.turn("Apples", "Red.", tenant="globex")
    await world.prepared(await world.accept("Apples?", conversation="chat", tenant="globex"))

    asked = list(world.scheduler.submitted.values())

    assert asked
    assert {(task.tenant, task.conversation, task.cache) for task in asked} == {
        ("globex", None, False)
    }


async def test_a_context_assembly_is_rebuilt_exactly_from_the_log(world: World) -> None:
    for number in range(6):
        await world.turn(f"Größe {number}?", "Antwort ✓ " * (number + 1))
    tasks = [await world.accept("Und jetzt? ✓", conversation="chat", context_tokens=60)]
    await world.prepared(tasks[0])
    await world.complete(tasks[0], "Gut.")
    await world.quiet()
    tasks.append(await world.accept("Noch etwas?", conversation="chat", context_tokens=90))
    await world.prepared(tasks[1])
    await world.turn("Later turns change nothing", "No.")

    life = await world.again()
    for task in tasks:
        assembly = await life.rebuilding.find(task)
        assert assembly is not None
        payload = await life.rebuilding.payload(assembly)

        assert digest("acme", payload) == assembly.assembled.payload.digest
        assert assembly.assembled.kept
        assert assembly.assembled.dropped


async def test_a_kept_result_can_be_read_in_the_conversation_again(world: World) -> None:
    """The turn holds the task's own input, not what it ran on: contexts do not nest."""
    await world.turn("One", "First.")
    await world.turn("Two", "Second.")

    task = await world.accept("Three", conversation="chat")

    assert (await world.runs_on(task)).count("Earlier:") == 2
