"""Projections that follow `pm.feed`: any delivery gives the same view."""

import asyncio
import tempfile
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import hypothesis.strategies as st
from hypothesis import given, settings
from nats.js.api import AckPolicy, ConsumerConfig

from pointsman.contracts import subjects
from pointsman.contracts.recorded import decode_pack, encode_pack
from pointsman.eventstore.event_sources import FeedMessage, FeedSource
from pointsman.eventstore.ports import LogReader
from pointsman.eventstore.projections import ProjectionRunner
from pointsman.runtime.puller import Puller
from pointsman.runtime.streams import provision
from pointsman.testing.memory_event_store import MemoryEventStore
from pointsman.testing.waiting import wait_until
from tests.eventstore.projecting import projecting
from tests.eventstore.relaying import Bench, a_bench, published, running
from tests.support.task_events import record_lives
from tests.support.views import Chain, chain_of, chain_value

TASKS = 8
EVENTS = 3 * TASKS


class Delivered:
    """A pack as a message; knows whether it was acknowledged."""

    subject = subjects.FEED

    def __init__(self, data: bytes, first: int, last: int) -> None:
        self.data = data
        self.headers: dict[str, str] | None = {"Pm-Position": f"{first}-{last}"}
        self.last = last
        self.acknowledged_at: int | None = None
        self.runner: ProjectionRunner | None = None

    async def ack(self) -> None:
        assert self.runner is not None
        self.acknowledged_at = self.runner.position


class Deliveries:
    """A puller that hands out what it was given, in that order."""

    def __init__(self, batches: Sequence[Sequence[Delivered]]) -> None:
        self.batches = list(batches)
        self.done = asyncio.Event()

    async def next(self) -> Sequence[FeedMessage]:
        if not self.batches:
            self.done.set()
            await asyncio.Event().wait()
        return self.batches.pop(0)


async def nothing_to_provision() -> None:
    """The feed of these tests is always there."""


async def a_log() -> MemoryEventStore:
    store = MemoryEventStore()
    await record_lives(store, TASKS)
    return store


async def packs_cut_at(log: LogReader, cuts: Sequence[int]) -> list[Delivered]:
    events = await log.read(0)
    edges = sorted({0, EVENTS, *cuts})
    return [
        Delivered(encode_pack(events[start:end]), start + 1, end) for start, end in pairwise(edges)
    ]


async def deliver(
    log: LogReader, batches: Sequence[Sequence[Delivered]], data: Path
) -> tuple[int, int]:
    runner = ProjectionRunner(Chain(), data)
    for message in (message for batch in batches for message in batch):
        message.runner = runner
    deliveries = Deliveries(batches)
    async with projecting(runner, FeedSource(deliveries, log, provision=nothing_to_provision)):
        async with asyncio.timeout(20):
            await deliveries.done.wait()
    return chain_value(runner.path)


@given(
    cuts=st.lists(st.integers(1, EVENTS - 1), max_size=8),
    order=st.data(),
)
@settings(max_examples=40)
def test_any_permutation_with_repetition_gives_the_same_view(
    cuts: list[int], order: st.DataObject
) -> None:
    async def check() -> None:
        log = await a_log()
        packs = await packs_cut_at(log, cuts)
        indexes = [*range(len(packs)), *order.draw(st.lists(st.sampled_from(range(len(packs)))))]
        shuffled = order.draw(st.permutations(indexes))
        size = order.draw(st.integers(1, 4))
        batches = [
            [Delivered(packs[i].data, *_span(packs[i])) for i in shuffled[start : start + size]]
            for start in range(0, len(shuffled), size)
        ]
        with tempfile.TemporaryDirectory() as data:
            shown = await deliver(log, batches, Path(data))

        assert shown == chain_of(range(1, EVENTS + 1))
        for message in (message for batch in batches for message in batch):
            assert message.acknowledged_at is not None
            assert message.acknowledged_at >= message.last

    asyncio.run(check())


async def test_packs_that_were_dropped_are_read_from_the_log(tmp_path: Path) -> None:
    log = await a_log()
    *_, last = await packs_cut_at(log, [20])

    assert await deliver(log, [[last]], tmp_path) == chain_of(range(1, EVENTS + 1))


async def test_a_view_that_is_rebuilt_needs_no_new_message(tmp_path: Path) -> None:
    log = await a_log()
    packs = await packs_cut_at(log, [5, 12])
    runner = ProjectionRunner(Chain(), tmp_path)
    for pack in packs:
        pack.runner = runner

    source = FeedSource(Deliveries([packs]), log, provision=nothing_to_provision)
    async with projecting(runner, source):
        assert await runner.caught_up(EVENTS, timeout_s=20)
        await runner.rebuild()
        assert await runner.caught_up(EVENTS, timeout_s=20)

    assert chain_value(runner.path) == chain_of(range(1, EVENTS + 1))


async def test_while_nothing_arrives_the_log_is_asked_at_the_pace_that_was_set() -> None:
    log = MemoryEventStore()
    impatient = FeedSource(Deliveries([]), log, provision=nothing_to_provision, idle_poll_s=0.001)
    patient = FeedSource(Deliveries([]), log, provision=nothing_to_provision, idle_poll_s=3600)
    waiting = asyncio.create_task(patient.next(0))

    last = await record_lives(log, 1)

    await wait_until(lambda: asks(impatient, last))
    assert not waiting.done()
    waiting.cancel()


async def asks(source: FeedSource, last: int) -> bool:
    """Whether the log's last event is given for one that the feed never brought."""
    return [event.position for event in await source.next(last - 1)] == [last]


async def test_a_message_that_is_no_pack_costs_nothing(tmp_path: Path) -> None:
    log = await a_log()
    first, second, third = await packs_cut_at(log, [5, 12])
    second.data = b"\xff"
    odd = Delivered(b"[]", 0, 0)
    odd.headers = None

    shown = await deliver(log, [[odd, first], [second], [third]], tmp_path)

    assert shown == chain_of(range(1, EVENTS + 1))
    assert odd.acknowledged_at is not None
    assert second.acknowledged_at is not None


async def test_a_view_follows_the_feed_of_a_real_server(tmp_path: Path) -> None:
    async with a_bench(tmp_path) as bench:
        await provision(bench.nc)
        await _add_consumer(bench)
        relay = bench.relay()
        async with running(relay):
            for _ in range(2):
                last = await record_lives(bench.store, 100)
                await published(relay, last)
                puller = Puller(bench.nc, subjects.FEED_STREAM, "views")
                runner = ProjectionRunner(Chain(), tmp_path)
                source = FeedSource(puller, bench.store, provision=nothing_to_provision)
                async with projecting(runner, source):
                    assert await runner.caught_up(last, timeout_s=20)
                    await wait_until(lambda: _acknowledged(bench))
                await puller.stop()
                assert chain_value(runner.path) == chain_of(range(1, last + 1))


async def test_a_consumer_that_is_gone_is_provisioned_again(tmp_path: Path) -> None:
    async with a_bench(tmp_path) as bench:
        await provision(bench.nc)
        relay = bench.relay()
        async with running(relay):
            last = await record_lives(bench.store, 10)
            await published(relay, last)
            puller = Puller(bench.nc, subjects.FEED_STREAM, "views", heartbeat_s=0.2)
            runner = ProjectionRunner(Chain(), tmp_path)
            source = FeedSource(puller, bench.store, provision=lambda: _add_consumer(bench))
            async with projecting(runner, source):
                assert await runner.caught_up(last, timeout_s=20)
            await puller.stop()

        assert chain_value(runner.path) == chain_of(range(1, last + 1))


async def _add_consumer(bench: Bench) -> None:
    config = ConsumerConfig(durable_name="views", ack_policy=AckPolicy.EXPLICIT)
    await bench.nc.jsm().add_consumer(subjects.FEED_STREAM, config)


async def _acknowledged(bench: Bench) -> bool:
    info = await bench.nc.jsm().consumer_info(subjects.FEED_STREAM, "views")
    return not info.num_ack_pending and not info.num_pending


def _span(pack: Delivered) -> tuple[int, int]:
    events = decode_pack(pack.data)
    return events[0].position, events[-1].position
