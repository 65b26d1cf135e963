"""Relays on a real server: order, no gap, no duplicate, whatever is killed, wiped or purged."""

import asyncio
import shutil
import sys
from collections.abc import AsyncGenerator, Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from nats.js.api import RawStreamMsg

from pointsman.contracts import subjects
from pointsman.contracts.recorded import PACK_EVENTS
from pointsman.eventstore.ports import FeedFloor
from pointsman.eventstore.relay import RelayState
from pointsman.runtime.streams import incarnation, provision
from pointsman.testing.waiting import wait_until
from tests.eventstore.relaying import Bench, a_bench, connect, headers, published, running
from tests.support.task_events import a_plain_life, record, record_lives

STANDBY = Path(__file__).parents[1] / "support" / "relay_until_killed.py"


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncGenerator[Bench]:
    async with a_bench(tmp_path) as bench:
        yield bench


def spans(messages: Sequence[RawStreamMsg]) -> list[tuple[int, int]]:
    texts = [headers(message)["Pm-Position"].split("-") for message in messages]
    return [(int(first), int(last)) for first, last in texts]


async def test_the_feed_holds_the_log_in_order_byte_for_byte(bench: Bench) -> None:
    before = await record_lives(bench.store, 200)
    relay = bench.relay()

    async with running(relay):
        await published(relay, before)
        last = await record_lives(bench.store, 5)
        await published(relay, last)

    assert await bench.feed() == list(await bench.store.read(0))


async def test_a_message_says_which_positions_it_stands_for(bench: Bench) -> None:
    last = await record_lives(bench.store, 200)
    relay = bench.relay()

    async with running(relay):
        await published(relay, last)

    messages = await bench.messages()
    spans_found = spans(messages)
    assert (spans_found[0][0], spans_found[-1][1]) == (1, last)
    assert all(after[0] == before[1] + 1 for before, after in pairwise(spans_found))
    assert len(messages) < last / PACK_EVENTS + 3
    life = await incarnation(bench.nc, subjects.FEED_STREAM)
    log = (await bench.store.identity()).incarnation
    assert [headers(message)["Nats-Msg-Id"] for message in messages] == [
        f"{life}-{log[:8]}-{end}" for _, end in spans_found
    ]
    assert {headers(message)["Pm-Log"] for message in messages} == {log}


async def test_a_missing_stream_is_provisioned(bench: Bench) -> None:
    await record(bench.store, a_plain_life())
    relay = bench.relay()

    async with running(relay):
        await published(relay, 3)

    assert spans(await bench.messages())[-1][1] == 3


async def test_a_relay_that_was_cancelled_can_run_again(bench: Bench) -> None:
    relay = bench.relay()
    for _ in range(3):
        async with running(relay):
            await published(relay, await record_lives(bench.store, 2))

    assert [event.position for event in await bench.feed()] == list(range(1, 19))


async def test_relays_that_race_and_are_killed_leave_neither_gap_nor_duplicate(
    bench: Bench,
) -> None:
    await provision(bench.nc)
    done = asyncio.Event()

    async def append() -> None:
        while not done.is_set():
            await record(bench.store, a_plain_life())

    appending = asyncio.create_task(append())
    relay = bench.relay()
    async with running(relay):
        for _ in range(4):
            standby = await asyncio.create_subprocess_exec(
                sys.executable,
                str(STANDBY),
                str(bench.log),
                bench.server.url,
                stdout=asyncio.subprocess.PIPE,
                env={"PYTHONPATH": str(STANDBY.parents[2])},
            )
            assert standby.stdout is not None
            # Its first message takes the lead from the relay here, which then watches.
            await standby.stdout.readline()
            here = relay.position
            await wait_until(lambda here=here: relay.position > here + 100)
            standby.kill()
            await standby.communicate()
            async with running(bench.relay()):
                await published(relay, await bench.store.head())
        done.set()
        await appending
        last = await bench.store.head()
        await published(relay, last)

    assert [event.position for event in await bench.feed()] == list(range(1, last + 1))


async def test_the_loser_of_a_race_watches_and_takes_over(bench: Bench) -> None:
    other = await connect(bench.server)
    first, second = bench.relay(), bench.relay(nc=other)

    async with running(first):
        await published(first, await record_lives(bench.store, 1))
        async with running(second):
            await wait_until(lambda: second.state is RelayState.PUBLISHING)
            last = await record_lives(bench.store, 1)
            await wait_until(lambda: RelayState.WATCHING in {first.state, second.state})
            await published(first, last)
            await published(second, last)
            last = await record_lives(bench.store, 1)
            await published(second, last)
        last = await record_lives(bench.store, 1)
        await published(first, last)
        assert first.state is RelayState.PUBLISHING

    assert [event.position for event in await bench.feed()] == list(range(1, last + 1))
    await other.close()


async def test_a_killed_server_loses_nothing_of_the_feed(bench: Bench) -> None:
    relay = bench.relay()
    async with running(relay):
        last = await record_lives(bench.store, 50)
        await published(relay, last)
        for _ in range(2):
            bench.server.kill()
            await bench.server.wait()
            last = await record_lives(bench.store, 50)
            await bench.server.start()
            await published(relay, last)

    assert [event.position for event in await bench.feed()] == list(range(1, last + 1))


async def test_a_wiped_server_is_filled_again_from_the_log(bench: Bench, tmp_path: Path) -> None:
    relay = bench.relay()
    async with running(relay):
        await published(relay, await record_lives(bench.store, 300))
        await bench.server.stop()
        shutil.rmtree(tmp_path / "nats" / "jetstream")
        last = await record_lives(bench.store, 10)
        await bench.server.start()
        await published(relay, last)
        await wait_until(lambda: relay.state is RelayState.PUBLISHING)

    assert await bench.feed() == [*await bench.store.read(0)]


async def test_a_new_stream_starts_at_the_slowest_consumer(bench: Bench) -> None:
    async def slowest() -> int:
        return 10

    last = await record_lives(bench.store, 5)
    relay = bench.relay(slowest=slowest)

    async with running(relay):
        await published(relay, last)

    assert [event.position for event in await bench.feed()] == list(range(11, last + 1))


async def test_a_purged_stream_goes_on_at_its_floor(bench: Bench) -> None:
    await bench.add_plain_stream()
    relay = bench.relay()
    async with running(relay):
        before = await record_lives(bench.store, 10)
        await published(relay, before)
        await wait_until(lambda: _floor_is(bench, before))

    await bench.nc.jsm().purge_stream(subjects.FEED_STREAM)
    last = await record_lives(bench.store, 2)
    async with running(bench.relay()) as tasks:
        await wait_until(lambda: _ends_at(bench, last))
        assert not tasks[0].done()

    assert [event.position for event in await bench.feed()] == list(range(before + 1, last + 1))


async def test_what_was_purged_beyond_the_floor_is_published_again(bench: Bench) -> None:
    # The server knows the message ids of purged messages and drops what carries one of them.
    await bench.add_plain_stream()
    relay = bench.relay()
    async with running(relay):
        last = await record_lives(bench.store, 10)
        await published(relay, last)
    await bench.nc.jsm().purge_stream(subjects.FEED_STREAM)
    await bench.store.set_floor(FeedFloor(subjects.FEED_STREAM, "one", 1, 3))

    relay = bench.relay()
    async with running(relay):
        await published(relay, last)

    assert [event.position for event in await bench.feed()] == list(range(4, last + 1))


async def test_a_floor_of_another_incarnation_does_not_count(bench: Bench) -> None:
    await bench.add_plain_stream()
    await bench.store.set_floor(FeedFloor(subjects.FEED_STREAM, "another", 0, 9))
    last = await record_lives(bench.store, 5)
    relay = bench.relay()

    async with running(relay):
        await published(relay, last)

    assert [event.position for event in await bench.feed()] == list(range(1, last + 1))


async def test_a_floor_ahead_of_a_stream_that_lost_its_tail_does_not_count(bench: Bench) -> None:
    await bench.add_plain_stream()
    last = await record_lives(bench.store, 5)
    await bench.store.set_floor(FeedFloor(subjects.FEED_STREAM, "one", 7, 9))
    relay = bench.relay()

    async with running(relay):
        await published(relay, last)

    assert [event.position for event in await bench.feed()] == list(range(1, last + 1))


async def test_a_stream_of_another_log_is_left_alone(bench: Bench) -> None:
    await provision(bench.nc)
    await bench.nc.jetstream().publish(subjects.FEED, b"[]", headers={"Pm-Position": "1-500"})
    await record_lives(bench.store, 1)
    relay = bench.relay()

    async with running(relay):
        await wait_until(lambda: "ends at position 500" in relay.detail)

    assert len(await bench.messages()) == 1


async def _floor_is(bench: Bench, position: int) -> bool:
    floor = await bench.store.floor(subjects.FEED_STREAM)
    return floor is not None and floor.position == position


async def _ends_at(bench: Bench, position: int) -> bool:
    found = spans(await bench.messages())
    return bool(found) and found[-1][1] == position
