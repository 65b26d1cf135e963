"""The order subject, in memory and on a real server."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import msgspec
import pytest
from faststream.nats import NatsBroker, NatsRouter, TestNatsBroker

from pointsman.contracts import subjects
from pointsman.contracts.canaries import CanaryAnswer, CanaryAnswered, CanaryFailed, RunCanary
from pointsman.contracts.commands import Rejected, decode_answer
from pointsman.contracts.leases import LeaseReceipt
from pointsman.executor.handlers import build_router
from pointsman.executor.holding.canaries import Canaries
from pointsman.runtime.broker import ServiceBroker, build_broker
from pointsman.runtime.settings import NatsSettings
from pointsman.testing.memory_blobs import MemoryBlobs
from pointsman.testing.waiting import PATIENCE_S, wait_until
from tests.executor.fakes import (
    IDENTITY,
    FakeEngine,
    MemoryLeader,
    device,
    grant,
    holder,
    lease,
    order,
)
from tests.executor.pool_leader import PoolLeader

ORDERS = subjects.lease("main", "executor-1")
CANARY = subjects.command("executor", "canary", "executor-1")

twice = pytest.mark.parametrize("real", [False, True], ids=["in-memory", "nats-server"])


def broker_on(url: str) -> ServiceBroker:
    def fail(error: Exception) -> None:
        raise AssertionError(error)

    return build_broker(NatsSettings(url=url), name="executor-1", on_fatal=fail)


def router(leader: MemoryLeader, blobs: MemoryBlobs) -> NatsRouter:
    held = holder(FakeEngine(), leader, blobs)
    return build_router(IDENTITY, held, Canaries([device(FakeEngine(), leader)]))


@asynccontextmanager
async def executor(
    url: str, leader: MemoryLeader, blobs: MemoryBlobs, *, real: bool
) -> AsyncGenerator[NatsBroker]:
    broker = broker_on(url)
    broker.include_router(router(leader, blobs))
    async with TestNatsBroker(broker, with_real=real) as running:
        yield running


@twice
async def test_an_order_is_answered_with_the_leases_held(real: bool, nats_url: str) -> None:
    leader, blobs = MemoryLeader(), MemoryBlobs()
    payload = await blobs.put("acme", b"hello", "text/plain")
    async with executor(nats_url, leader, blobs, real=real) as broker:
        sent = order(grant(payload), grant(payload, task=2), grant(payload, task=3, device="none"))

        reply = await broker.request(msgspec.json.encode(sent), ORDERS, timeout=PATIENCE_S)

        receipt = msgspec.json.decode(reply.body, type=LeaseReceipt)
        assert receipt.held == (lease(1), lease(2))
        assert (receipt.executor, receipt.incarnation) == ("executor-1", "incarnation-1")
        await wait_until(lambda: len(leader.reports) == 2)


@twice
async def test_a_stale_order_is_answered_as_such(real: bool, nats_url: str) -> None:
    async with executor(nats_url, MemoryLeader(), MemoryBlobs(), real=real) as broker:
        for epoch in (5, 4):
            reply = await broker.request(
                msgspec.json.encode(order(epoch=epoch)), ORDERS, timeout=PATIENCE_S
            )

        receipt = msgspec.json.decode(reply.body, type=LeaseReceipt)
        assert receipt.stale_epoch


@twice
async def test_a_canary_is_answered_with_the_engines_bytes(real: bool, nats_url: str) -> None:
    async with executor(nats_url, MemoryLeader(), MemoryBlobs(), real=real) as broker:
        asked = [
            RunCanary(device=name, variant="echo", payload=b"\x00ping", timeout_s=1.0)
            for name in ("cpu-0", "none")
        ]

        reply = await broker.request(msgspec.json.encode(asked), CANARY, timeout=PATIENCE_S)

        here, nowhere = msgspec.json.decode(reply.body, type=list[CanaryAnswer])
        assert isinstance(here, CanaryAnswered)
        assert here.output == b"\x00ping"
        assert isinstance(nowhere, CanaryFailed)
        assert nowhere.code == "unknown_device"


async def test_a_malformed_order_is_refused_in_words(nats_url: str) -> None:
    broker = broker_on(nats_url)
    broker.include_router(router(MemoryLeader(), MemoryBlobs()))
    async with PoolLeader.on(nats_url) as leader, broker:
        await broker.start()
        await (await broker.connect()).flush()

        answer = await leader.ask(ORDERS, b'{"pool": "main"}')

        assert isinstance(decode_answer(answer), Rejected)
