"""Work from other systems: answered when done, tried again when nobody could do it now."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
from nats.aio.msg import Msg

from pointsman.contracts import subjects
from pointsman.contracts.commands import (
    Answer,
    Done,
    NotLeader,
    Rejected,
    Unavailable,
    decode_answer,
)
from pointsman.runtime.acknowledgement import DeadLetter
from pointsman.runtime.connection import Connection
from pointsman.runtime.puller import Puller
from pointsman.runtime.streams import provision
from pointsman.runtime.work_queue import WorkQueue


class Letters:
    """Remembers dead letters."""

    def __init__(self) -> None:
        self.recorded: list[DeadLetter] = []

    async def record(self, letter: DeadLetter) -> None:
        self.recorded.append(letter)


class Work:
    """Gives these answers, one after the other, each to the message `order-1` of its tenant."""

    def __init__(self, *answers: Answer) -> None:
        self.left = list(answers)

    async def do(self, tenant: str, message: Msg) -> tuple[str, Answer]:
        assert (tenant, message.data) == ("acme", b"{}")
        return "order-1", self.left.pop(0)


@asynccontextmanager
async def queue(nc: Connection, work: Work, letters: Letters) -> AsyncGenerator[None]:
    await provision(nc)
    running = WorkQueue(
        nc,
        Puller(nc, subjects.INBOX_STREAM, subjects.INBOX_CONSUMER),
        work.do,
        letters,
        next_step=lambda letter: f"think about {letter.code}",
        provision=lambda: provision(nc),
    )
    pulling = asyncio.create_task(running.run())
    try:
        yield
    finally:
        await running.stop()
        await pulling


async def answer_to_a_message(nc: Connection) -> Answer:
    answers = await nc.subscribe(subjects.answer("acme", "order-1"))
    await nc.jetstream().publish(subjects.inbox("acme"), b"{}")
    return decode_answer((await answers.next_msg(timeout=20)).data)


@pytest.mark.parametrize(
    "not_now", [NotLeader(), Unavailable(retry_after_s=1.0)], ids=["not_leader", "unavailable"]
)
async def test_what_cannot_be_done_now_comes_again(nc: Connection, not_now: Answer) -> None:
    work, letters = Work(not_now, Done(detail="done")), Letters()

    async with queue(nc, work, letters):
        answer = await answer_to_a_message(nc)

    assert answer == Done(detail="done")
    assert work.left == []
    assert letters.recorded == []


async def test_what_is_refused_is_a_dead_letter_and_its_sender_knows_what_to_do(
    nc: Connection,
) -> None:
    work, letters = Work(Rejected(code="no_such_family", message="no")), Letters()

    async with queue(nc, work, letters):
        answer = await answer_to_a_message(nc)

    assert answer == Rejected(
        code="no_such_family", message="no", next="think about no_such_family"
    )
    assert [letter.message_id for letter in letters.recorded] == ["order-1"]
