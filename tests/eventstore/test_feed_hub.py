"""The feed, heard once for several followers in one process."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from pointsman.contracts import subjects
from pointsman.eventstore.event_sources import EventSource
from pointsman.eventstore.feed import follow_feed
from pointsman.eventstore.feed_hub import FeedHub
from pointsman.eventstore.projections import ProjectionRunner
from pointsman.runtime.service import ServiceScope
from pointsman.runtime.streams import provision
from pointsman.testing.memory_event_store import MemoryEventStore
from pointsman.testing.waiting import wait_until
from tests.eventstore.projecting import projecting
from tests.eventstore.relaying import Bench, a_bench, published, running
from tests.support.task_events import record_lives
from tests.support.views import Chain, chain_of, chain_value

FAST = 1_000.0


@asynccontextmanager
async def a_hub(bench: Bench, *, keep: int = 4_096) -> AsyncGenerator[FeedHub]:
    hub = FeedHub(bench.nc, bench.store, keep=keep)
    await hub.start()
    try:
        yield hub
    finally:
        await hub.stop()


@pytest.mark.parametrize("keep", [4_096, 8], ids=["everything kept", "little kept"])
async def test_followers_of_one_hub_see_every_event_once_and_in_order(
    tmp_path: Path, keep: int
) -> None:
    async with a_bench(tmp_path) as bench:
        await provision(bench.nc)
        relay = bench.relay()
        early = await record_lives(bench.store, 40)
        async with running(relay), a_hub(bench, keep=keep) as hub:
            first = ProjectionRunner(Chain(), tmp_path / "first")
            second = ProjectionRunner(Chain(), tmp_path / "second")
            async with (
                projecting(first, hub.source(rounds_per_s=FAST)),
                projecting(second, hub.source(rounds_per_s=FAST)),
            ):
                assert await first.caught_up(early, timeout_s=20)
                last = await record_lives(bench.store, 200)
                await published(relay, last)
                assert await first.caught_up(last, timeout_s=20)
                assert await second.caught_up(last, timeout_s=20)

    expected = chain_of(range(1, last + 1))
    assert [chain_value(each.path) for each in (first, second)] == [expected, expected]


async def test_what_was_not_heard_is_read_from_the_log(tmp_path: Path) -> None:
    async with a_bench(tmp_path) as bench:
        await provision(bench.nc)
        relay = bench.relay()
        async with running(relay), a_hub(bench) as hub:
            source = hub.source(rounds_per_s=FAST)
            runner = ProjectionRunner(Chain(), tmp_path)
            async with projecting(runner, source):
                await published(relay, await record_lives(bench.store, 10))
                await hub.stop()
                await published(relay, await record_lives(bench.store, 10))
                await hub.start()
                last = await record_lives(bench.store, 10)
                await published(relay, last)
                assert await runner.caught_up(last, timeout_s=20)

    assert chain_value(runner.path) == chain_of(range(1, last + 1))


async def test_a_message_that_is_no_pack_changes_nothing(tmp_path: Path) -> None:
    async with a_bench(tmp_path) as bench, a_hub(bench) as hub:
        # Before there is a stream, so that the relay does not find it there.
        await bench.nc.publish(subjects.FEED, b"\xff", headers={"Pm-Position": "1-1"})
        await bench.nc.flush()
        await provision(bench.nc)
        relay = bench.relay()
        async with running(relay):
            last = await record_lives(bench.store, 5)
            await published(relay, last)

            await wait_until(lambda: len(hub.beyond(0, limit=100) or ()) == last)


async def test_a_follower_is_woken_and_then_kept_to_its_pace(tmp_path: Path) -> None:
    async with a_bench(tmp_path) as bench:
        await provision(bench.nc)
        relay = bench.relay()
        async with running(relay), a_hub(bench) as hub:
            source = hub.source(rounds_per_s=0.001)
            assert list(await source.next(0)) == []
            waiting = asyncio.create_task(source.next(0))

            last = await record_lives(bench.store, 5)
            await published(relay, last)
            await wait_until(lambda: len(hub.beyond(0, limit=100) or ()) == last)

            assert not waiting.done()
            waiting.cancel()


async def test_a_service_whose_process_has_a_hub_follows_that(tmp_path: Path) -> None:
    async with a_bench(tmp_path) as bench:
        hub = FeedHub(bench.nc, MemoryEventStore())
        scope = ServiceScope("greeter", shared={FeedHub: hub})

        source: EventSource = await follow_feed(scope, bench.nc, "greeter")

        assert list(await source.next(0)) == []
        await scope.close()
