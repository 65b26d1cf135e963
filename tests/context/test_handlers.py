"""Commands and questions, in memory and on a real server."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TypeVar
from uuid import uuid4

import msgspec
import pytest
from faststream.nats import NatsBroker, TestNatsBroker

from pointsman.context.handlers import build_command_router, build_query_router
from pointsman.contracts import subjects
from pointsman.contracts.commands import Done, Rejected, decode_answer, decode_answers
from pointsman.contracts.context import (
    AskContextPool,
    Assembly,
    ContextPoolRow,
    ConversationRow,
    ConversationState,
    ListConversations,
    ListProjects,
    OneAssembly,
    OneConversation,
    OneProject,
    ProjectRow,
    ProjectState,
    RecordDecision,
    RecordPreference,
)
from pointsman.contracts.message import Message
from pointsman.runtime.broker import build_broker
from pointsman.runtime.settings import NatsSettings
from pointsman.testing.waiting import PATIENCE_S
from tests.context.world import World

T = TypeVar("T")

twice = pytest.mark.parametrize("real", [False, True], ids=["in-memory", "nats-server"])


@asynccontextmanager
async def serving(world: World, url: str, *, real: bool) -> AsyncGenerator[NatsBroker]:
    def fail(error: Exception) -> None:
        raise AssertionError(error)

    broker = build_broker(NatsSettings(url=url), name="context", on_fatal=fail)
    broker.include_router(build_command_router(world.now.projects))
    broker.include_router(build_query_router(world.now.questions))
    async with TestNatsBroker(broker, with_real=real) as running:
        yield running


async def ask(broker: NatsBroker, verb: str, question: Message, type_: type[T]) -> T:
    subject = subjects.query("context", verb)
    reply = await broker.request(msgspec.json.encode(question), subject, timeout=PATIENCE_S)
    return msgspec.json.decode(reply.body, type=type_)


@twice
async def test_entries_are_recorded_and_shown(real: bool, nats_url: str, world: World) -> None:
    decision = RecordDecision(
        command_id="1", tenant="acme", project="plan", title="Use NATS", reason="Fast.", by="kim"
    )
    preference = RecordPreference(
        command_id="2", tenant="acme", project="plan", key="tone", value="short", by="kim"
    )
    async with serving(world, nats_url, real=real) as broker:
        for verb, command in (("record_decision", decision), ("record_preference", preference)):
            subject = subjects.command("context", verb)
            reply = await broker.request(
                msgspec.json.encode([command, command]), subject, timeout=PATIENCE_S
            )
            answers = decode_answers(reply.body)
            assert [type(answer) for answer in answers] == [Done, Done]
        await world.quiet()

        shown = await ask(
            broker, "project", OneProject(tenant="acme", name="plan", texts=True), ProjectState
        )
        rows = await ask(broker, "projects", ListProjects(tenant="acme"), list[ProjectRow])

    assert [(d.title, d.text) for d in shown.decisions] == [("Use NATS", "Fast.")]
    assert [(p.key, p.text) for p in shown.preferences] == [("tone", "short")]
    assert [(row.project, row.decisions) for row in rows] == [("plan", 1)]


@twice
async def test_conversations_assemblies_and_the_pool_are_shown(
    real: bool, nats_url: str, world: World
) -> None:
    await world.turn("Why?", "Because.")
    task = await world.accept("Who?", conversation="chat")
    await world.prepared(task)
    await world.quiet()
    async with serving(world, nats_url, real=real) as broker:
        one = OneConversation(tenant="acme", name="chat", texts=True)
        shown = await ask(broker, "conversation", one, ConversationState)
        every = ListConversations(tenant="acme")
        rows = await ask(broker, "conversations", every, list[ConversationRow])
        assembly = await ask(broker, "assembly", OneAssembly(task=task, texts=True), Assembly)
        pool = await ask(broker, "pool", AskContextPool(), ContextPoolRow)

    assert [turn.input_text for turn in shown.turns] == ["Why?"]
    assert [(row.conversation, row.turns) for row in rows] == [("chat", 1)]
    assert assembly.text == "Earlier: Why?\nAnswer: Because.\n\nWho?"
    assert (pool.entries, pool.hits) == (1, 1)


async def test_what_does_not_exist_is_refused_in_words(nats_url: str, world: World) -> None:
    async with serving(world, nats_url, real=True) as broker:
        refusals = [
            await ask(broker, "project", OneProject(tenant="acme", name="plan"), Rejected),
            await ask(broker, "conversation", OneConversation(tenant="acme", name="c"), Rejected),
            await ask(broker, "assembly", OneAssembly(task=uuid4()), Rejected),
        ]

    assert [refusal.code for refusal in refusals] == [
        "no_such_project",
        "no_such_conversation",
        "no_such_context",
    ]
    assert all(refusal.next for refusal in refusals)


async def test_two_moments_at_once_are_refused(nats_url: str, world: World) -> None:
    async with serving(world, nats_url, real=True) as broker:
        asked = OneConversation(tenant="acme", name="chat", at=1, at_time=1.0)

        refusal = await ask(broker, "conversation", asked, Rejected)

    assert refusal.code == "two_moments"


@pytest.mark.parametrize(
    "body",
    [
        b'[{"command_id":"1"}]',
        b'[{"command_id":"1","tenant":"acme","project":"a b","title":"t","reason":"","by":"k"}]',
        b'[{"command_id":"1","tenant":"Acme!","project":"p","title":"t","reason":"","by":"k"}]',
        b'[{"command_id":"1","tenant":"acme","project":"p","title":"","reason":"","by":"k"}]',
    ],
    ids=["incomplete", "project", "tenant", "title"],
)
async def test_a_malformed_command_is_refused_and_nothing_is_recorded(
    body: bytes, nats_url: str, world: World
) -> None:
    async with serving(world, nats_url, real=True) as broker:
        reply = await broker.request(
            body, subjects.command("context", "record_decision"), timeout=PATIENCE_S
        )

    (answer,) = [decode_answer(msgspec.json.encode(a)) for a in msgspec.json.decode(reply.body)]
    assert isinstance(answer, Rejected)
    assert await world.log.store.head() == 0
