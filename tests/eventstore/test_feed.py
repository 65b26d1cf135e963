"""Following the feed as one service on a real server."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import msgspec
from nats.aio.msg import Msg

from pointsman.contracts import subjects
from pointsman.contracts.queries import ListEvents, LogRow
from pointsman.contracts.recorded import Recorded
from pointsman.eventstore.feed import follow_feed
from pointsman.runtime.service import ServiceScope
from pointsman.runtime.streams import provision
from pointsman.testing.waiting import wait_until
from tests.eventstore.relaying import Bench, a_bench, published, running
from tests.support.task_events import record_lives


async def answer_questions(bench: Bench) -> None:
    """Show the log as the scheduler does."""

    async def answer(message: Msg) -> None:
        after = msgspec.json.decode(message.data, type=ListEvents).after
        await message.respond(msgspec.json.encode(list(await bench.store.read(after))))

    async def answer_log(message: Msg) -> None:
        identity = await bench.store.identity()
        row = LogRow(identity.incarnation, await bench.store.head())
        await message.respond(msgspec.json.encode(row))

    await bench.nc.subscribe(subjects.query("scheduler", "events"), cb=answer)
    await bench.nc.subscribe(subjects.query("scheduler", "log"), cb=answer_log)
    await bench.nc.flush()


async def test_a_service_waits_for_the_feed_and_says_so(tmp_path: Path) -> None:
    scope = ServiceScope("degradation")
    async with a_bench(tmp_path) as bench:
        following = asyncio.create_task(follow_feed(scope, bench.nc, "degradation"))
        await wait_until(lambda: "feed" in scope.health.components)
        waiting = scope.health.components["feed"]

        await provision(bench.nc)
        await following

        assert not waiting.ok
        assert subjects.FEED_STREAM in waiting.detail
        assert scope.health.components["feed"].ok
        await scope.close()


async def test_what_is_relayed_is_read_and_goes_on_after_a_new_start(tmp_path: Path) -> None:
    async with a_bench(tmp_path) as bench:
        await provision(bench.nc)
        await answer_questions(bench)
        relay = bench.relay()
        async with running(relay):
            read: list[Recorded] = []
            last = 0
            for _ in range(2):
                last = await record_lives(bench.store, 20)
                await published(relay, last)
                scope = ServiceScope("feedback")
                source = await follow_feed(scope, bench.nc, "feedback")
                while not read or read[-1].position < last:
                    read += await source.next(read[-1].position if read else 0)
                await scope.close()

        consumer = await bench.nc.jsm().consumer_info(subjects.FEED_STREAM, "feedback")

    assert [event.position for event in read] == list(range(1, last + 1))
    assert consumer.config.durable_name == "feedback"


async def test_what_the_feed_does_not_hold_is_asked_of_the_scheduler(tmp_path: Path) -> None:
    async with a_bench(tmp_path) as bench:
        await provision(bench.nc)
        # Was committed before the feed began, so that its first pack is not the first event.
        early = await record_lives(bench.store, 2)
        await answer_questions(bench)
        scope = ServiceScope("context")
        source = await follow_feed(scope, bench.nc, "context")
        await bench.nc.jetstream().publish(
            subjects.FEED,
            msgspec.json.encode(list(await bench.store.read(early - 1))),
            headers={"Pm-Position": f"{early}-{early}"},
        )

        read: Sequence[Recorded] = await source.next(0)

        assert [event.position for event in read] == list(range(1, early))
        assert [event.position for event in await source.next(early - 1)] == [early]
        await scope.close()


async def test_a_scope_that_ends_stops_the_waiting(tmp_path: Path) -> None:
    scope = ServiceScope("degradation")
    async with a_bench(tmp_path) as bench:
        following = scope.spawn(follow_feed(scope, bench.nc, "degradation"), "feed")
        await wait_until(lambda: "feed" in scope.health.components)

        await scope.close()

        with suppress(asyncio.CancelledError):
            await following
        assert following.cancelled()
        assert scope.failure is None
