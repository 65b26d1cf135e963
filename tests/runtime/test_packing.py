import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import msgspec
import pytest
from nats.aio.msg import Msg

from pointsman.contracts.commands import (
    Answer,
    CancelTask,
    Done,
    NotLeader,
    Rejected,
    Unavailable,
    decode_answers,
)
from pointsman.contracts.leases import ReportAnswer
from pointsman.runtime.connection import Connection
from pointsman.runtime.packing import (
    NoAnswerError,
    PackedRequests,
    RequestRefusedError,
    RequestTooLargeError,
)
from pointsman.runtime.servers import LocalNats
from pointsman.testing.waiting import wait_until

SUBJECT = "pm.cmd.scheduler.pool.cancel"
Respond = Callable[[list[CancelTask]], list[Any]]

_decoder = msgspec.json.Decoder(list[CancelTask])


class Leader:
    """Answers packs on a real subject and keeps what it was asked."""

    def __init__(self, nc: Connection, respond: Respond) -> None:
        self.packs: list[list[CancelTask]] = []
        self._nc = nc
        self._respond = respond

    async def listen(self) -> "Leader":
        await self._nc.subscribe(SUBJECT, cb=self._answer)
        await self._nc.flush()
        return self

    async def _answer(self, message: Msg) -> None:
        commands = _decoder.decode(message.data)
        self.packs.append(commands)
        await message.respond(msgspec.json.encode(self._respond(commands)))


def command(number: int, reason: str = "") -> CancelTask:
    return CancelTask(command_id=str(number), task=UUID(int=number), by="test", reason=reason)


def echo(commands: list[CancelTask]) -> list[Any]:
    return [Done(detail=each.command_id) for each in commands]


def requests(
    nc: Connection, *, timeout_s: float = 2.0, patience_s: float | None = 5.0
) -> PackedRequests[CancelTask, Answer]:
    return PackedRequests(
        nc,
        SUBJECT,
        decode_answers=decode_answers,
        is_not_leader=lambda answer: isinstance(answer, NotLeader),
        timeout_s=timeout_s,
        patience_s=patience_s,
    )


async def ask_all(asker: PackedRequests[CancelTask, Answer], numbers: range) -> list[Answer]:
    return await asyncio.gather(*(asker.ask(command(number)) for number in numbers))


async def test_commands_of_one_turn_travel_as_one_message(
    new_connection: Callable[[], Awaitable[Connection]],
) -> None:
    leader = await Leader(await new_connection(), echo).listen()
    asker = requests(await new_connection())
    await asker.ask(command(0))

    answers = await ask_all(asker, range(1, 101))

    assert [len(pack) for pack in leader.packs] == [1, 100]
    assert answers == [Done(detail=str(number)) for number in range(1, 101)]
    await asker.stop()


async def test_a_message_holds_at_most_256_commands(nc: Connection) -> None:
    leader = await Leader(nc, echo).listen()
    asker = requests(nc)

    answers = await ask_all(asker, range(600))

    assert [len(pack) for pack in leader.packs] == [256, 256, 88]
    assert answers == [Done(detail=str(number)) for number in range(600)]
    await asker.stop()


async def test_a_message_stays_below_half_a_mebibyte_unless_one_command_is_larger(
    nc: Connection,
) -> None:
    leader = await Leader(nc, echo).listen()
    asker = requests(nc)
    sizes = [200_000, 200_000, 200_000, 700_000, 10]

    await asyncio.gather(
        *(asker.ask(command(number, "x" * size)) for number, size in enumerate(sizes))
    )

    assert [[int(each.command_id) for each in pack] for pack in leader.packs] == [
        [0, 1],
        [2],
        [3],
        [4],
    ]
    await asker.stop()


async def test_a_command_that_fits_into_no_message_is_refused(nc: Connection) -> None:
    asker = requests(nc)

    with pytest.raises(RequestTooLargeError) as caught:
        await asker.ask(command(1, "x" * 1_100_000))

    assert caught.value.limit == nc.max_payload
    await asker.stop()


async def test_without_anybody_who_answers_the_patience_ends_with_a_clear_error(
    nc: Connection,
) -> None:
    asker = requests(nc, patience_s=0.2)

    with pytest.raises(NoAnswerError, match="check that the service") as caught:
        await asker.ask(command(1))

    assert caught.value.code == "no_answer"
    assert caught.value.last == "no responders"
    await asker.stop()


async def test_a_service_that_stays_unavailable_is_quoted_when_the_patience_is_over(
    nc: Connection,
) -> None:
    refusal = Unavailable(retry_after_s=0.1, message="the disk is full", code="disk_full")
    await Leader(nc, lambda commands: [refusal for _ in commands]).listen()
    asker = requests(nc, patience_s=0.35)

    with pytest.raises(NoAnswerError) as caught:
        await asker.ask(command(1))

    assert caught.value.last == "unavailable: the disk is full"
    assert caught.value.unavailable == refusal
    await asker.stop()


async def test_a_silent_service_is_asked_again_until_the_patience_is_over(nc: Connection) -> None:
    heard: list[bytes] = []

    async def swallow(message: Msg) -> None:
        heard.append(message.data)

    await nc.subscribe(SUBJECT, cb=swallow)
    asker = requests(nc, timeout_s=0.05, patience_s=0.3)

    with pytest.raises(NoAnswerError, match="no reply"):
        await asker.ask(command(1))

    assert len(heard) > 1
    assert len(set(heard)) == 1
    await asker.stop()


async def test_a_leader_that_appears_later_answers(nc: Connection) -> None:
    asker = requests(nc, patience_s=None)
    asking = asyncio.ensure_future(asker.ask(command(7)))
    sent = nc.stats["out_msgs"]
    await wait_until(lambda: nc.stats["out_msgs"] > sent + 2)

    await Leader(nc, echo).listen()

    assert await asking == Done(detail="7")
    await asker.stop()


async def test_the_same_command_is_sent_until_a_leader_takes_it(nc: Connection) -> None:
    refusals: list[Any] = [NotLeader(), Unavailable(retry_after_s=0.01), NotLeader()]

    def respond(commands: list[CancelTask]) -> list[Any]:
        return [refusals.pop()] if refusals else echo(commands)

    leader = await Leader(nc, respond).listen()
    asker = requests(nc)

    answer = await asker.ask(command(3))

    assert answer == Done(detail="3")
    assert leader.packs == [[command(3)]] * 4
    await asker.stop()


async def test_only_the_refused_commands_of_a_pack_are_repeated(nc: Connection) -> None:
    def respond(commands: list[CancelTask]) -> list[Any]:
        if len(commands) == 1:
            return echo(commands)
        return [Done(detail="0"), NotLeader(), Done(detail="2")]

    leader = await Leader(nc, respond).listen()
    asker = requests(nc)

    answers = await ask_all(asker, range(3))

    assert answers == [Done(detail="0"), Done(detail="1"), Done(detail="2")]
    assert [[each.command_id for each in pack] for pack in leader.packs] == [["0", "1", "2"], ["1"]]
    await asker.stop()


async def test_one_bad_command_does_not_have_the_others_refused(nc: Connection) -> None:
    def respond(commands: list[CancelTask]) -> list[Any]:
        if any(each.reason == "bad" for each in commands):
            return [Rejected(code="malformed_request", message="cannot be read")]
        return echo(commands)

    await Leader(nc, respond).listen()
    asker = requests(nc)

    good, bad, fine = await asyncio.gather(
        asker.ask(command(1)), asker.ask(command(2, "bad")), asker.ask(command(3))
    )

    assert (good, fine) == (Done(detail="1"), Done(detail="3"))
    assert isinstance(bad, Rejected)
    await asker.stop()


async def test_a_refusal_in_other_words_than_the_verbs_answers_is_an_error(nc: Connection) -> None:
    await Leader(nc, lambda _: [Rejected(code="malformed_request", message="no")]).listen()
    asker: PackedRequests[CancelTask, ReportAnswer] = PackedRequests(
        nc,
        SUBJECT,
        decode_answers=msgspec.json.Decoder(list[ReportAnswer]).decode,
        is_not_leader=lambda answer: answer.status == "not_leader",
        patience_s=None,
    )

    with pytest.raises(RequestRefusedError) as caught:
        await asker.ask(command(1))

    assert caught.value.code == "malformed_request"
    await asker.stop()


async def test_asking_goes_on_after_the_server_was_killed(nats: LocalNats, nc: Connection) -> None:
    asker = requests(nc, timeout_s=0.5, patience_s=None)
    await Leader(nc, echo).listen()
    await asker.ask(command(0))

    nats.kill()
    await nats.wait()
    asking = asyncio.ensure_future(ask_all(asker, range(1, 20)))
    await nats.start()

    assert await asking == [Done(detail=str(number)) for number in range(1, 20)]
    await asker.stop()


async def test_a_cancelled_command_is_not_repeated(nc: Connection) -> None:
    asker = requests(nc, patience_s=None)
    asking = asyncio.ensure_future(asker.ask(command(1)))
    sent = nc.stats["out_msgs"]
    await wait_until(lambda: nc.stats["out_msgs"] > sent)

    asking.cancel()
    leader = await Leader(nc, echo).listen()

    assert await asker.ask(command(2)) == Done(detail="2")
    assert leader.packs == [[command(2)]]
    await asker.stop()


async def test_stopping_tells_those_who_wait(nc: Connection) -> None:
    asker = requests(nc, patience_s=None)
    asking = asyncio.ensure_future(asker.ask(command(1)))
    sent = nc.stats["out_msgs"]
    await wait_until(lambda: nc.stats["out_msgs"] > sent)

    await asker.stop()

    with pytest.raises(NoAnswerError, match="stopped"):
        await asking
    with pytest.raises(NoAnswerError, match="stopped"):
        await asker.ask(command(2))
