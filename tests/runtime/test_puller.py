import asyncio
import os
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from pointsman.contracts import subjects
from pointsman.runtime.connection import Connection
from pointsman.runtime.puller import (
    ConsumerGoneError,
    Puller,
    PullerStoppedError,
    PullStalledError,
)
from pointsman.runtime.servers import LocalNats
from pointsman.runtime.settings import NatsSettings
from pointsman.runtime.streams import provision
from pointsman.testing.waiting import wait_until

SUBJECT = subjects.inbox("acme")


class DeafConnection(Connection):
    """Loses delivered messages on demand, as a client with a dead subscription does."""

    deaf = False

    async def subscribe(self, *args: Any, cb: Any = None, **options: Any) -> Subscription:  # noqa: ANN401 - the library's
        async def receive(message: Msg) -> None:
            if not (self.deaf and message.reply.startswith("$JS.ACK")):
                await cb(message)

        return await super().subscribe(*args, cb=receive, **options)


def puller_of(
    nc: Connection,
    batch: int = 256,
    *,
    expires_s: float = 30.0,
    heartbeat_s: float = 2.0,
    stall_s: float = 15.0,
) -> Puller:
    return Puller(
        nc,
        subjects.INBOX_STREAM,
        subjects.INBOX_CONSUMER,
        batch,
        expires_s=expires_s,
        heartbeat_s=heartbeat_s,
        stall_s=stall_s,
    )


async def send(nc: Connection, *bodies: str) -> None:
    stream = nc.jetstream()
    for body in bodies:
        await stream.publish(SUBJECT, body.encode(), timeout=10)


async def receive(puller: Puller, count: int) -> list[str]:
    bodies: list[str] = []
    while len(bodies) < count:
        for message in await puller.next():
            bodies.append(message.data.decode())
            await message.ack()
    return bodies


async def test_one_message_is_handed_over_without_waiting_for_more(nc: Connection) -> None:
    await provision(nc)
    puller = puller_of(nc, expires_s=3600.0)
    waiting = asyncio.ensure_future(puller.next())

    await send(nc, "only")

    messages = await waiting
    assert [message.data for message in messages] == [b"only"]
    await puller.stop()


async def test_a_backlog_arrives_complete_and_in_order(nc: Connection) -> None:
    await provision(nc)
    sent = [str(number) for number in range(1500)]
    await send(nc, *sent)
    puller = puller_of(nc, batch=64)

    received = await receive(puller, len(sent))

    assert received == sent
    await puller.stop()


async def test_an_expired_pull_is_renewed(nc: Connection) -> None:
    await provision(nc)
    puller = puller_of(nc, expires_s=0.1, heartbeat_s=0.04)
    waiting = asyncio.ensure_future(puller.next())
    statuses = nc.stats["in_msgs"] + 3
    await wait_until(lambda: nc.stats["in_msgs"] > statuses)

    await send(nc, "late")

    assert [message.data for message in await waiting] == [b"late"]
    await puller.stop()


async def test_pulling_goes_on_after_the_server_was_killed(nats: LocalNats, nc: Connection) -> None:
    await provision(nc)
    puller = puller_of(nc)
    await send(nc, "before")
    assert await receive(puller, 1) == ["before"]
    waiting = asyncio.ensure_future(receive(puller, 1))

    for _ in range(2):
        nats.kill()
        await nats.wait()
        await nats.start()
        await wait_until(lambda: nc.is_connected)
    await send(nc, "after")

    assert "after" in await waiting
    await puller.stop()


async def test_a_wiped_stream_is_told_and_pulling_goes_on_once_it_is_provisioned(
    nats: LocalNats, nc: Connection, tmp_path: Path
) -> None:
    await provision(nc)
    puller = puller_of(nc)
    waiting = asyncio.ensure_future(puller.next())

    await nats.stop()
    shutil.rmtree(tmp_path / "nats" / "jetstream")
    await nats.start()

    with pytest.raises(ConsumerGoneError) as caught:
        await waiting
    assert (caught.value.stream, caught.value.consumer) == ("PM_INBOX", "scheduler")
    await provision(nc)
    await send(nc, "new life")
    assert await receive(puller, 1) == ["new life"]
    await puller.stop()


async def test_a_deleted_consumer_is_told(nc: Connection) -> None:
    await provision(nc)
    puller = puller_of(nc)
    await send(nc, "first")
    await receive(puller, 1)
    waiting = asyncio.ensure_future(puller.next())

    await nc.jsm().delete_consumer(subjects.INBOX_STREAM, subjects.INBOX_CONSUMER)

    with pytest.raises(ConsumerGoneError):
        await waiting
    await puller.stop()


async def test_a_server_that_froze_is_pulled_from_again(nats: LocalNats, nc: Connection) -> None:
    await provision(nc)
    puller = puller_of(nc, heartbeat_s=0.05)
    asked = nc.stats["in_msgs"]
    waiting = asyncio.ensure_future(puller.next())
    await wait_until(lambda: nc.stats["in_msgs"] > asked)
    sent = nc.stats["out_msgs"]

    os.kill(nats.pid, signal.SIGSTOP)
    try:
        await wait_until(lambda: nc.stats["out_msgs"] > sent)
    finally:
        os.kill(nats.pid, signal.SIGCONT)
    await send(nc, "thawed")

    assert [message.data for message in await waiting] == [b"thawed"]
    await puller.stop()


async def test_messages_that_wait_but_never_arrive_end_the_pulling(
    nats: LocalNats, nats_settings: NatsSettings, fatal: list[Exception]
) -> None:
    nc = DeafConnection(nats_settings, "deaf", fatal.append, None)
    await nc.open(patience_s=5)
    await provision(nc)
    puller = puller_of(nc, batch=1, stall_s=0.05, expires_s=0.2, heartbeat_s=0.05)
    nc.deaf = True

    await send(nc, *map(str, range(20)))

    with pytest.raises(PullStalledError) as caught:
        await puller.next()
    assert caught.value.pending > 0
    assert nats.alive
    await nc.close()


async def test_waiting_for_acknowledgements_is_no_stall(nc: Connection) -> None:
    await provision(nc)
    info = await nc.jsm().consumer_info(subjects.INBOX_STREAM, subjects.INBOX_CONSUMER)
    await nc.jsm().add_consumer(subjects.INBOX_STREAM, info.config.evolve(max_ack_pending=1))
    puller = puller_of(nc, stall_s=0.01, heartbeat_s=0.05)
    await send(nc, "held", "waiting")
    [held] = await puller.next()
    waiting = asyncio.ensure_future(puller.next())
    asked = nc.stats["out_msgs"]
    await wait_until(lambda: nc.stats["out_msgs"] > asked + 6, timeout_s=20)

    await held.ack()

    assert [message.data for message in await waiting] == [b"waiting"]
    await puller.stop()


async def test_what_was_not_handed_out_goes_back_at_the_stop(nc: Connection) -> None:
    await provision(nc)
    first = puller_of(nc)
    await send(nc, "taken")
    await receive(first, 1)
    arrived = nc.stats["in_msgs"]
    await send(nc, "left", "behind")
    # Two confirmations and two deliveries.
    await wait_until(lambda: nc.stats["in_msgs"] >= arrived + 4)

    await first.stop()

    second = puller_of(nc)
    assert sorted(await receive(second, 2)) == ["behind", "left"]
    await second.stop()


async def test_a_stopped_puller_says_so(nc: Connection) -> None:
    await provision(nc)
    puller = puller_of(nc)
    waiting = asyncio.ensure_future(puller.next())

    await puller.stop()

    with pytest.raises(PullerStoppedError):
        await waiting
