"""Ratings from other systems on a real work queue."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from nats.aio.client import Client

from pointsman.contracts import subjects
from pointsman.contracts.commands import Answer, Done, Rejected, decode_answer
from pointsman.contracts.events import DeadLetterRecorded, FeedbackGiven
from pointsman.eventstore.dead_letters import DeadLetterBox
from pointsman.eventstore.journal import Journal
from pointsman.feedback.adapters.nats_inbox import NatsInbox
from pointsman.runtime.nats_client import nats_client
from pointsman.runtime.streams import provision
from pointsman.testing.waiting import wait_until
from tests.feedback.world import CODEC, Feedback, accepted, completed, feedback


@dataclass
class Queue:
    """The work queue with the service behind it."""

    nc: Client
    here: Feedback

    async def send(self, data: object, *, id_: str, type_: str | None = None) -> None:
        event = {
            "specversion": "1.0", "id": id_, "source": "/shop",
            "type": type_ or "pointsman.feedback.give.v1", "data": data,
        }  # fmt: skip
        await self.nc.jetstream().publish(subjects.feedback("acme"), json.dumps(event).encode())

    async def answer_to(self, data: object, *, id_: str, type_: str | None = None) -> Answer:
        answers = await self.nc.subscribe(subjects.answer("acme", id_))
        await self.nc.flush()
        await self.send(data, id_=id_, type_=type_)
        return decode_answer((await answers.next_msg(timeout=20)).data)

    async def is_empty(self) -> bool:
        return (await self.nc.jsm().stream_info(subjects.FEEDBACK_STREAM)).state.messages == 0


@asynccontextmanager
async def inbox(url: str, data: Path) -> AsyncGenerator[Queue]:
    nc = await nats_client(url)
    await provision(nc)
    async with feedback(data) as here:
        journal = Journal(here.store, CODEC)
        letters = DeadLetterBox(
            journal, here.blobs, here.clock, applied_to=lambda: here.own.position
        )
        pulled = NatsInbox(nc, here.giving, letters, lambda: provision(nc))
        running = asyncio.create_task(pulled.run())
        try:
            yield Queue(nc, here)
        finally:
            await pulled.stop()
            await running
            await nc.close()


@pytest.fixture
async def queue(nats_url: str, tmp_path: Path) -> AsyncGenerator[Queue]:
    async with inbox(nats_url, tmp_path) as running:
        yield running


def good(task: UUID) -> dict[str, object]:
    return {"task": str(task), "kind": "boolean", "value": True, "by": "ada"}


async def test_a_rating_is_recorded_answered_and_acknowledged(queue: Queue) -> None:
    task = await queue.here.completed()

    answer = await queue.answer_to({**good(task), "comment": "kind words"}, id_="r-1")

    (given,) = await queue.here.history(FeedbackGiven)
    assert isinstance(answer, Done)
    assert (given.rating, given.value, given.by, given.source) == (
        answer.detail, 1.0, "ada", "/shop",
    )  # fmt: skip
    assert given.comment is not None
    await wait_until(queue.is_empty)


async def test_a_rating_that_comes_again_has_the_same_answer(queue: Queue) -> None:
    task = await queue.here.completed()

    first = await queue.answer_to(good(task), id_="r-1")
    again = await queue.answer_to(good(task), id_="r-1")
    other = await queue.answer_to({**good(task), "value": False}, id_="r-1")

    assert first == again
    assert isinstance(other, Rejected)
    assert other.code == "id_reused"
    assert len(await queue.here.history(FeedbackGiven)) == 1


async def test_a_rating_of_a_running_task_waits_for_its_end(queue: Queue) -> None:
    task = await queue.here.task(accepted())
    asking = asyncio.create_task(queue.answer_to(good(task), id_="r-1"))
    # It is with the service, which has looked for the task.
    consumer = (subjects.FEEDBACK_STREAM, subjects.FEEDBACK_CONSUMER)

    async def was_tried() -> bool:
        info = await queue.nc.jsm().consumer_info(*consumer)
        return info.delivered is not None and info.delivered.consumer_seq >= 1

    await wait_until(was_tried)
    await queue.here.task(completed(), stream=task, after=1)

    assert isinstance(await asking, Done)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"kind": "stars"}, "invalid_rating"),
        ({"value": "true"}, "invalid_rating"),
        ({"value": 0.5}, "invalid_rating"),
        ({"comment": "a" * 10_001}, "invalid_rating"),
        ({"stars": 5}, "invalid_rating"),
        ({"task": str(uuid4())}, "no_such_task"),
        ({"task": "first"}, "invalid_rating"),
        ({"kind": "score", "value": 10**20}, "invalid_rating"),
    ],
)
async def test_what_cannot_be_taken_is_a_dead_letter_and_answered(
    queue: Queue, change: dict[str, object], code: str
) -> None:
    task = await queue.here.completed()

    answer = await queue.answer_to({**good(task), **change}, id_="r-1")

    assert isinstance(answer, Rejected)
    assert answer.code == code
    (letter,) = await queue.here.history(DeadLetterRecorded)
    assert (letter.code, letter.message_id) == (code, "r-1")
    assert letter.body is not None
    assert b"r-1" in await queue.here.blobs.get("acme", letter.body)
    await wait_until(queue.is_empty)


@pytest.mark.parametrize(
    ("type_", "code"),
    [
        ("pointsman.feedback.give.v2", "newer_version"),
        ("pointsman.task.submit.v1", "unknown_type"),
    ],
)
async def test_other_messages_are_refused_by_name(queue: Queue, type_: str, code: str) -> None:
    answer = await queue.answer_to({}, id_="r-1", type_=type_)

    assert isinstance(answer, Rejected)
    assert answer.code == code
