"""Messages that are published without the client's own check of their headers."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from nats.aio.client import Client
from nats.errors import ConnectionClosedError, MaxPayloadError

from pointsman.runtime.nats_client import nats_client
from pointsman.runtime.publishing import publish_as_is
from pointsman.testing.servers import nats_server
from pointsman.testing.waiting import PATIENCE_S

HEADERS = {"Nats-Msg-Id": "life-7", "ce-type": "task.accepted.v1", "ce-source": "/pointsman/main"}


@pytest.fixture
async def nc(tmp_path: Path) -> AsyncGenerator[Client]:
    async with nats_server(tmp_path) as server:
        client = await nats_client(server.url)
        yield client
        await client.close()


@pytest.mark.parametrize("reply", ["", "answers.here"])
@pytest.mark.parametrize("body", [b"", b'{"at":1}', bytes(range(256)) * 40])
async def test_it_arrives_as_the_client_itself_would_send_it(
    nc: Client, reply: str, body: bytes
) -> None:
    heard = await nc.subscribe("pm.evt.task.accepted")

    await nc.publish("pm.evt.task.accepted", body, reply=reply, headers=dict(HEADERS))
    await publish_as_is(nc, "pm.evt.task.accepted", body, reply=reply, headers=HEADERS)
    theirs, ours = [await heard.next_msg(PATIENCE_S), await heard.next_msg(PATIENCE_S)]

    assert (ours.data, ours.reply, ours.headers) == (theirs.data, theirs.reply, theirs.headers)
    assert ours.headers == HEADERS


async def test_it_is_counted_as_sent(nc: Client) -> None:
    before = dict(nc.stats)

    await publish_as_is(nc, "here", b"four", reply="", headers=HEADERS)

    assert nc.stats["out_msgs"] == before["out_msgs"] + 1
    assert nc.stats["out_bytes"] == before["out_bytes"] + 4


async def test_a_message_that_is_too_large_is_refused_before_it_is_sent(nc: Client) -> None:
    with pytest.raises(MaxPayloadError):
        await publish_as_is(nc, "here", bytes(nc.max_payload + 1), reply="", headers=HEADERS)


async def test_nothing_is_published_on_a_closed_connection(nc: Client) -> None:
    await nc.close()

    with pytest.raises(ConnectionClosedError):
        await publish_as_is(nc, "here", b"", reply="", headers=HEADERS)
