"""Projects and conversations as they were at any past moment."""

import json
import random
from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

from pointsman.context.domain.conversation import conversation_id
from pointsman.contracts.commands import Done, Rejected
from pointsman.contracts.context import (
    ListConversations,
    ListProjects,
    OneAssembly,
    OneConversation,
    OneProject,
    RecordDecision,
    RecordPreference,
)
from pointsman.contracts.recorded import Recorded
from tests.context.world import World

NAMES = ("one", "two", "three")


def plain_fold(log: Sequence[Recorded], stream: UUID, position: int) -> dict[str, Any] | None:
    """A conversation from its stored bytes, without any of the service's own code."""
    state: dict[str, Any] | None = None
    for event in log:
        if event.stream != stream or event.position > position:
            continue
        data = json.loads(bytes(event.data))
        if event.type == "conversation.started.v1":
            state = {"name": data["name"], "project": data["project"], "turns": []}
        else:
            assert state is not None
            turn = data["turn"]
            state["turns"].append(
                (turn["task"], turn["variant"], turn["input"]["digest"], turn["result"]["digest"])
            )
        state["version"], state["position"] = event.version, event.position
    return state


async def state_at(world: World, name: str, project: str | None, at: int) -> dict[str, Any] | None:
    asked = OneConversation(tenant="acme", name=name, project=project, at=at)
    found = await world.now.questions.conversation(asked)
    if found is None:
        return None
    return {
        "name": found.conversation,
        "project": found.project or "",
        "turns": [
            (str(turn.task), turn.variant, turn.input.digest, turn.result.digest)
            for turn in found.turns
        ],
        "version": found.version,
        "position": found.position,
    }


async def test_a_conversation_at_100_past_positions_equals_a_plain_fold(world: World) -> None:
    draws = random.Random(2026)
    for number in range(40):
        name, project = draws.choice(NAMES), draws.choice([None, "plan"])
        task = await world.accept(f"Question {number}", conversation=name, project=project)
        await world.complete(task, f"Answer {number}", variant=draws.choice("ab"))
        if number % 7 == 0:
            await world.quiet()
    await world.quiet()
    log = await world.log.store.read(0, limit=100_000)
    head = await world.log.store.head()

    states = 0
    for _ in range(100):
        name, project = draws.choice(NAMES), draws.choice([None, "plan"])
        at = draws.randint(0, head)
        expected = plain_fold(log, conversation_id("acme", project, name), at)
        assert await state_at(world, name, project, at) == expected
        states += expected is not None
    assert states > 30


async def test_a_conversation_at_a_time_is_the_one_at_the_last_position_before(
    world: World,
) -> None:
    for number in range(5):
        await world.turn(f"Question {number}", "Yes.")
    turns = await world.log.events("conversation.turn_appended.v1")

    for count, event in enumerate(turns, start=1):
        for shift, expected in ((0, count), (-1, count - 1)):
            asked = OneConversation(
                tenant="acme", name="chat", at_time=(event.time_us + shift) / 1e6
            )
            found = await world.now.questions.conversation(asked)
            assert found is not None
            assert len(found.turns) == expected


async def test_words_are_given_on_request_and_only_to_their_tenant(world: World) -> None:
    await world.turn("Why?", "Because.")
    questions = world.now.questions

    plain = await questions.conversation(OneConversation(tenant="acme", name="chat"))
    words = await questions.conversation(OneConversation(tenant="acme", name="chat", texts=True))
    other = await questions.conversation(OneConversation(tenant="globex", name="chat", texts=True))

    assert plain is not None
    assert words is not None
    assert (plain.turns[0].input_text, plain.turns[0].result_text) == (None, None)
    assert (words.turns[0].input_text, words.turns[0].result_text) == ("Why?", "Because.")
    assert other is None


async def test_an_assembly_is_shown_with_its_text_on_request(world: World) -> None:
    await world.turn("Why?", "Because.")
    task = await world.accept("Who?", conversation="chat")
    await world.prepared(task)
    questions = world.now.questions

    plain = await questions.assembly(OneAssembly(task=task))
    words = await questions.assembly(OneAssembly(task=task, texts=True))

    assert plain is not None
    assert words is not None
    assert plain.text is None
    assert words.text == "Earlier: Why?\nAnswer: Because.\n\nWho?"
    assert (plain.tenant, plain.assembled.task) == ("acme", str(task))
    assert await questions.assembly(OneAssembly(task=uuid4())) is None


def decision(title: str, *, tenant: str = "acme", id: str = "") -> RecordDecision:
    return RecordDecision(
        command_id=id or title,
        tenant=tenant,
        project="plan",
        title=title,
        reason=f"Because of {title}.",
        by="kim",
    )


def preference(key: str, value: str) -> RecordPreference:
    return RecordPreference(
        command_id=f"{key}={value}", tenant="acme", project="plan", key=key, value=value, by="kim"
    )


async def test_decisions_and_preferences_are_kept_with_their_history(world: World) -> None:
    projects, questions = world.now.projects, world.now.questions
    await projects.record_decision(decision("Use SQLite"))
    await projects.record_preference(preference("tone", "short"))
    before = await world.log.store.head()
    await projects.record_preference(preference("tone", "long"))
    await projects.record_decision(decision("Use NATS"))

    now = await questions.project(OneProject(tenant="acme", name="plan", texts=True))
    past = await questions.project(OneProject(tenant="acme", name="plan", texts=True, at=before))
    plain = await questions.project(OneProject(tenant="acme", name="plan"))

    assert now is not None
    assert past is not None
    assert plain is not None
    assert [(d.number, d.title, d.text) for d in now.decisions] == [
        (1, "Use SQLite", "Because of Use SQLite."),
        (2, "Use NATS", "Because of Use NATS."),
    ]
    assert [(p.key, p.text) for p in now.preferences] == [("tone", "long")]
    assert [(p.key, p.text) for p in past.preferences] == [("tone", "short")]
    assert (past.version, past.position, len(past.decisions)) == (3, before, 1)
    assert (plain.decisions[0].text, plain.preferences[0].text) == (None, None)
    assert await questions.project(OneProject(tenant="globex", name="plan")) is None


async def test_reasons_and_values_never_enter_the_log(world: World) -> None:
    await world.now.projects.record_decision(decision("Use SQLite"))
    await world.now.projects.record_preference(preference("tone", "short"))

    stored = b"".join(bytes(event.data) for event in await world.log.store.read(0))

    assert b"Because" not in stored
    assert b"short" not in stored
    assert b"Use SQLite" in stored


async def test_a_repeated_command_is_taken_once_and_another_under_its_id_is_refused(
    world: World,
) -> None:
    projects = world.now.projects

    first = await projects.record_decision(decision("Use SQLite", id="1"))
    again = await projects.record_decision(decision("Use SQLite", id="1"))
    other = await projects.record_decision(decision("Use NATS", id="1"))

    assert isinstance(first, Done)
    assert again == first
    assert isinstance(other, Rejected)
    assert other.code == "id_reused"
    assert len(await world.log.events("project.decision_recorded.v1")) == 1


async def test_lists_show_what_changed_last_first(world: World) -> None:
    await world.now.projects.record_decision(decision("Use SQLite"))
    await world.now.projects.record_preference(preference("tone", "short"))
    await world.now.projects.record_preference(preference("tone", "long"))
    await world.now.projects.record_decision(decision("Theirs", tenant="globex"))
    await world.turn("One", "1.", "a", project="plan")
    await world.turn("Two", "2.", "b", project="other")
    await world.turn("Three", "3.", "a", project="plan")
    await world.turn("Four", "4.", "c")
    await world.quiet()
    questions = world.now.questions

    projects = await questions.projects(ListProjects(tenant="acme"))
    all_of_them = await questions.conversations(ListConversations(tenant="acme"))
    planned = await questions.conversations(ListConversations(tenant="acme", project="plan"))
    latest = await questions.conversations(ListConversations(tenant="acme", limit=1))

    assert [(p.project, p.decisions, p.preferences, p.conversations) for p in projects] == [
        ("other", 0, 0, 1),
        ("plan", 1, 1, 1),
    ]
    assert [(c.conversation, c.project, c.turns) for c in all_of_them] == [
        ("c", None, 1),
        ("a", "plan", 2),
        ("b", "other", 1),
    ]
    assert [c.conversation for c in planned] == ["a"]
    assert [c.conversation for c in latest] == ["c"]
    assert await questions.projects(ListProjects(tenant="nobody")) == []
