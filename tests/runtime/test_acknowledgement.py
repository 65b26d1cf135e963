import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nats.aio.msg import Msg

from pointsman.contracts import subjects
from pointsman.runtime.acknowledgement import (
    EXHAUSTED,
    LAST_DELAY_S,
    MAX_DELIVERIES,
    DeadLetter,
    Settled,
    TransientError,
    retry_delay_s,
    settle,
)
from pointsman.runtime.connection import Connection
from pointsman.runtime.puller import Puller
from pointsman.runtime.streams import provision
from pointsman.testing.waiting import wait_until

SUBJECT = subjects.inbox("acme")


@dataclass
class Shelf:
    """Keeps dead letters; the first `failures` attempts to record fail."""

    failures: int = 0
    letters: list[DeadLetter] = field(default_factory=list)

    async def record(self, letter: DeadLetter) -> None:
        if self.failures > 0:
            self.failures -= 1
            raise TransientError("the log does not answer")
        self.letters.append(letter)


class PoisonError(Exception):
    code = "poison"


@pytest.fixture
async def inbox(nc: Connection) -> AsyncGenerator[Puller]:
    await provision(nc)
    puller = Puller(nc, subjects.INBOX_STREAM, subjects.INBOX_CONSUMER)
    yield puller
    await puller.stop()


async def succeed(_message: Msg) -> None:
    pass


async def fail(_message: Msg) -> None:
    raise TransientError("not now")


async def refuse(_message: Msg) -> None:
    raise PoisonError("never")


def at_once() -> float:
    return 0.0


async def test_success_is_acknowledged(nc: Connection, inbox: Puller) -> None:
    await nc.jetstream().publish(SUBJECT, b"work")
    [message] = await inbox.next()

    settled = await settle(message, succeed, shelf := Shelf())

    assert settled is Settled.ACK
    await wait_until(lambda: _is_empty(nc))
    assert shelf.letters == []


async def test_a_transient_error_is_tried_again(nc: Connection, inbox: Puller) -> None:
    await nc.jetstream().publish(SUBJECT, b"work")
    [message] = await inbox.next()

    settled = await settle(message, fail, shelf := Shelf(), draw=at_once)

    [again] = await inbox.next()
    assert settled is Settled.NAK
    assert (again.data, again.metadata.num_delivered) == (b"work", 2)
    assert shelf.letters == []


async def test_other_errors_may_be_declared_transient(nc: Connection, inbox: Puller) -> None:
    await nc.jetstream().publish(SUBJECT, b"work")
    [message] = await inbox.next()

    settled = await settle(message, refuse, Shelf(), draw=at_once, transient=(PoisonError,))

    assert settled is Settled.NAK


async def test_a_poison_message_becomes_a_dead_letter_and_the_queue_goes_on(
    nc: Connection, inbox: Puller
) -> None:
    shelf = Shelf()
    headers = {"ce-id": "m-1", "Nats-Msg-Id": "n-1", "ce-type": "x"}
    await nc.jetstream().publish(SUBJECT, b"\x00poison", headers=headers)
    [message] = await inbox.next()

    settled = await settle(message, refuse, shelf, tenant="acme")

    await nc.jetstream().publish(SUBJECT, b"next")
    [after] = await inbox.next()
    assert settled is Settled.TERM
    assert after.data == b"next"
    assert shelf.letters == [
        DeadLetter(
            subject=SUBJECT,
            message_id="m-1",
            code="poison",
            detail="never",
            deliveries=1,
            headers=headers,
            body=b"\x00poison",
            tenant="acme",
        )
    ]


async def test_the_fifth_transient_failure_becomes_a_dead_letter(
    nc: Connection, inbox: Puller
) -> None:
    shelf = Shelf()
    await nc.jetstream().publish(SUBJECT, b"work")

    settled = [await _settle_next(inbox, shelf) for _ in range(MAX_DELIVERIES)]

    assert settled == [Settled.NAK] * 4 + [Settled.TERM]
    assert [(letter.code, letter.deliveries) for letter in shelf.letters] == [(EXHAUSTED, 5)]
    assert shelf.letters[0].message_id == "PM_INBOX:1"
    await wait_until(lambda: _is_empty(nc))


async def test_a_dead_letter_that_cannot_be_recorded_keeps_the_message(
    nc: Connection, inbox: Puller
) -> None:
    shelf = Shelf(failures=1)
    await nc.jetstream().publish(SUBJECT, b"work")
    [message] = await inbox.next()

    first = await settle(message, refuse, shelf, draw=at_once)
    [again] = await inbox.next()
    second = await settle(again, refuse, shelf, draw=at_once)

    assert (first, second) == (Settled.NAK, Settled.TERM)
    assert [letter.body for letter in shelf.letters] == [b"work"]


async def test_a_cancelled_handler_gives_its_message_back(nc: Connection, inbox: Puller) -> None:
    await nc.jetstream().publish(SUBJECT, b"work")
    [message] = await inbox.next()
    begun = asyncio.Event()

    async def hang(_message: Msg) -> None:
        begun.set()
        await asyncio.Event().wait()

    settling = asyncio.ensure_future(settle(message, hang, Shelf()))
    await begun.wait()
    settling.cancel()

    [again] = await inbox.next()
    assert again.data == b"work"
    assert settling.cancelled() or settling.done()


@given(deliveries=st.integers(1, 10_000), draw=st.floats(0, 1, exclude_max=True))
def test_the_delay_is_bounded(deliveries: int, draw: float) -> None:
    delay_s = retry_delay_s(deliveries, draw)

    assert 0 <= delay_s < LAST_DELAY_S


@given(deliveries=st.integers(1, 10_000))
def test_the_bound_of_the_delay_grows_until_it_is_reached(deliveries: int) -> None:
    bound_s, next_s = retry_delay_s(deliveries, 1.0), retry_delay_s(deliveries + 1, 1.0)

    assert next_s == min(2 * bound_s, LAST_DELAY_S)


async def _settle_next(inbox: Puller, shelf: Shelf) -> Settled:
    [message] = await inbox.next()
    return await settle(message, fail, shelf, draw=at_once)


async def _is_empty(nc: Connection) -> bool:
    return (await nc.jsm().stream_info(subjects.INBOX_STREAM)).state.messages == 0
