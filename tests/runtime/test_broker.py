import asyncio
import json
from uuid import UUID

import pytest
from nats.errors import NoRespondersError

from pointsman.contracts.commands import (
    Answer,
    CancelTask,
    Done,
    NotLeader,
    Rejected,
    Unavailable,
    decode_answer,
    decode_answers,
)
from pointsman.runtime.broker import body_decoder, build_broker
from pointsman.runtime.connection import Connection
from pointsman.runtime.errors import NotLeaderError, TransientError
from pointsman.runtime.servers import LocalNats
from pointsman.runtime.settings import NatsSettings
from pointsman.testing.waiting import PATIENCE_S, wait_until

COMMAND = CancelTask(command_id="c1", task=UUID(int=1), by="test")


@pytest.mark.parametrize(
    ("body", "many"),
    [(b"[{]", True), (b'[{"command_id":1}]', True), (b"\xff\xfe", False), (b"", False)],
)
async def test_a_malformed_request_is_answered(
    nc: Connection, nats_settings: NatsSettings, body: bytes, *, many: bool
) -> None:
    broker = build_broker(nats_settings, name="test", on_fatal=_unexpected)

    @broker.subscriber("pm.cmd.test.cancel", decoder=body_decoder(list[CancelTask]))
    async def cancel(commands: list[CancelTask]) -> list[Answer]:
        return [Done() for _ in commands]

    await broker.start()

    reply = await nc.request("pm.cmd.test.cancel", body, timeout=PATIENCE_S)

    answer = decode_answers(reply.data)[0] if many else decode_answer(reply.data)
    assert isinstance(answer, Rejected)
    assert answer.code == "malformed_request"
    await broker.stop()


@pytest.mark.parametrize("error", [TransientError("busy"), KeyError("defect"), OSError("disk")])
async def test_a_handler_that_raises_answers_unavailable(
    nc: Connection, nats_settings: NatsSettings, error: Exception
) -> None:
    broker = build_broker(nats_settings, name="test", on_fatal=_unexpected, transient=(OSError,))

    @broker.subscriber("pm.cmd.test.cancel", decoder=body_decoder(list[CancelTask]))
    async def cancel(commands: list[CancelTask]) -> list[Answer]:
        raise error

    await broker.start()

    reply = await nc.request("pm.cmd.test.cancel", _packed(COMMAND), timeout=PATIENCE_S)

    answer = decode_answers(reply.data)[0]
    assert isinstance(answer, Unavailable)
    assert str(error) in answer.message
    await broker.stop()


async def test_a_handler_that_leads_no_more_answers_that_it_does_not_lead(
    nc: Connection, nats_settings: NatsSettings
) -> None:
    broker = build_broker(nats_settings, name="test", on_fatal=_unexpected)

    @broker.subscriber("pm.cmd.test.cancel", decoder=body_decoder(list[CancelTask]))
    async def cancel(commands: list[CancelTask]) -> list[Answer]:
        raise NotLeaderError("another leads")

    await broker.start()

    reply = await nc.request("pm.cmd.test.cancel", _packed(COMMAND), timeout=PATIENCE_S)

    assert decode_answers(reply.data) == [NotLeader()]
    await broker.stop()


async def test_requests_are_handled_at_the_same_time(
    nc: Connection, nats_settings: NatsSettings
) -> None:
    everybody = asyncio.Barrier(8)
    broker = build_broker(nats_settings, name="test", on_fatal=_unexpected)

    @broker.subscriber("pm.cmd.test.cancel", decoder=body_decoder(list[CancelTask]))
    async def cancel(commands: list[CancelTask]) -> list[Answer]:
        await everybody.wait()
        return [Done() for _ in commands]

    await broker.start()

    replies = await asyncio.gather(
        *(nc.request("pm.cmd.test.cancel", _packed(COMMAND), timeout=10) for _ in range(8))
    )

    assert [decode_answers(reply.data) for reply in replies] == [[Done()]] * 8
    await broker.stop()


async def test_stopping_answers_what_has_arrived_and_takes_no_more(
    nc: Connection, nats_settings: NatsSettings
) -> None:
    arrived, go_on = asyncio.Event(), asyncio.Event()
    broker = build_broker(nats_settings, name="test", on_fatal=_unexpected)

    @broker.subscriber("pm.cmd.test.cancel", decoder=body_decoder(list[CancelTask]))
    async def cancel(commands: list[CancelTask]) -> list[Answer]:
        arrived.set()
        await go_on.wait()
        return [Done() for _ in commands]

    await broker.start()
    first = asyncio.ensure_future(nc.request("pm.cmd.test.cancel", _packed(COMMAND), timeout=10))
    await arrived.wait()

    stopping = asyncio.ensure_future(broker.stop())
    await wait_until(lambda: _nobody_listens(nc))
    go_on.set()
    await stopping

    assert decode_answers((await first).data) == [Done()]


async def test_stopping_while_the_server_is_away_ends(
    nats: LocalNats, nats_settings: NatsSettings
) -> None:
    broker = build_broker(nats_settings, name="test", on_fatal=_unexpected)

    @broker.subscriber("pm.cmd.test.cancel", decoder=body_decoder(list[CancelTask]))
    async def cancel(commands: list[CancelTask]) -> list[Answer]:
        return [Done() for _ in commands]

    await broker.start()
    connection = broker.connection
    nats.kill()
    await wait_until(lambda: not connection.is_connected)

    await broker.stop()

    assert connection.is_closed


async def _nobody_listens(nc: Connection) -> bool:
    try:
        await nc.request("pm.cmd.test.cancel", _packed(COMMAND), timeout=0.2)
    except NoRespondersError:
        return True
    except TimeoutError:
        return False
    return False


def _packed(command: CancelTask) -> bytes:
    return json.dumps(
        [{"command_id": command.command_id, "task": str(command.task), "by": command.by}]
    ).encode()


def _unexpected(error: Exception) -> None:
    pytest.fail(f"reported as fatal: {error!r}")
