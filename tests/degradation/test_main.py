"""The service as a process of its own, beside a scheduler of plain nats-py."""

import asyncio
import os
import signal
import sys
import time
from asyncio.subprocess import Process
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self
from uuid import uuid4

import msgspec
import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import NoRespondersError

from pointsman.contracts import subjects
from pointsman.contracts.commands import Done, decode_answers
from pointsman.contracts.degradation import AskHistory, HistoryRow, LadderRow, SetOverride
from pointsman.contracts.events import Decision
from pointsman.contracts.levels import Level
from pointsman.contracts.queries import ListEvents, LogRow
from pointsman.contracts.recorded import Recorded, encode_pack
from pointsman.degradation.__main__ import SERVICE
from pointsman.degradation.settings import Settings
from pointsman.runtime.nats_client import nats_client
from pointsman.runtime.service import ServiceScope
from pointsman.runtime.streams import provision
from pointsman.testing.memory_event_store import MemoryEventStore
from pointsman.testing.waiting import PATIENCE_S, wait_until
from tests.degradation.pure_ladder import sample
from tests.degradation.shell import CODEC, attached, attempt_failed, granted, registered

_JSON = msgspec.json


class Neighbour:
    """The scheduler's side of the bus: the log's keeper, the feed and the pool's samples."""

    def __init__(self, nc: Client) -> None:
        self.nc = nc
        self.log: list[Recorded] = []

    @classmethod
    @asynccontextmanager
    async def on(cls, url: str) -> AsyncGenerator[Self]:
        nc = await nats_client(url)
        here = cls(nc)
        await nc.subscribe(subjects.query("scheduler", "events"), cb=here._on_events)
        await nc.subscribe(subjects.query("scheduler", "log"), cb=here._on_log)
        await nc.flush()
        try:
            yield here
        finally:
            await nc.close()

    async def publish(self, events: Sequence[Decision]) -> None:
        """Record events of one stream and send them as a pack of the feed."""
        stream, first = uuid4(), len(self.log) + 1
        pack = [
            Recorded(
                position=first + index,
                id=uuid4(),
                stream=stream,
                version=index + 1,
                type=CODEC.topic(event),
                time_us=first + index,
                data=msgspec.Raw(CODEC.encode(event)),
            )
            for index, event in enumerate(events)
        ]
        self.log += pack
        await self.nc.jetstream().publish(
            subjects.FEED,
            encode_pack(pack),
            headers={"Pm-Position": f"{first}-{len(self.log)}"},
        )

    async def ladder(self) -> LadderRow:
        reply = await self.nc.request(
            subjects.query("degradation", "state"), b"{}", timeout=PATIENCE_S
        )
        return _JSON.decode(reply.data, type=list[LadderRow])[0]

    async def history(self) -> list[HistoryRow]:
        reply = await self.nc.request(
            subjects.query("degradation", "history"), _JSON.encode(AskHistory()), timeout=PATIENCE_S
        )
        return _JSON.decode(reply.data, type=list[HistoryRow])

    async def answers(self) -> bool:
        try:
            await self.ladder()
        except NoRespondersError:
            return False
        return True

    async def _on_events(self, msg: Msg) -> None:
        asked = _JSON.decode(msg.data, type=ListEvents)
        await msg.respond(_JSON.encode(self.log[asked.after :][: asked.limit]))

    async def _on_log(self, msg: Msg) -> None:
        await msg.respond(_JSON.encode(LogRow("a-life", len(self.log))))


@pytest.fixture
async def scheduler(nats_url: str) -> AsyncGenerator[Neighbour]:
    async with Neighbour.on(nats_url) as neighbour:
        yield neighbour


@asynccontextmanager
async def service(url: str, data: Path, **settings: str) -> AsyncGenerator[Process]:
    variables = {"POINTSMAN_NATS_URL": url, "POINTSMAN_DATA": str(data), **settings}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "pointsman.degradation", env=os.environ | variables
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_it_takes_an_override_before_there_is_a_feed_and_ends_when_told(
    nats_url: str, tmp_path: Path, scheduler: Neighbour
) -> None:
    command = SetOverride(command_id="one", pool="main", level=Level.DEGRADE, ttl_s=60.0, by="ada")
    async with service(nats_url, tmp_path / "data") as process:
        await wait_until(scheduler.answers, timeout_s=30)

        reply = await scheduler.nc.request(
            subjects.command("degradation", "override"), _JSON.encode([command]), timeout=PATIENCE_S
        )
        process.send_signal(signal.SIGTERM)
        status = await process.wait()

    assert isinstance(decode_answers(reply.data)[0], Done)
    assert status == 0


async def test_it_remembers_across_a_kill(
    nats_url: str, tmp_path: Path, scheduler: Neighbour
) -> None:
    command = SetOverride(command_id="one", pool="main", level=Level.SHED, ttl_s=600.0, by="ada")
    async with service(nats_url, tmp_path / "data") as process:
        await wait_until(scheduler.answers, timeout_s=30)
        subject = subjects.command("degradation", "override")
        first = await scheduler.nc.request(subject, _JSON.encode([command]), timeout=PATIENCE_S)
        process.kill()

    async with service(nats_url, tmp_path / "data"):
        await wait_until(scheduler.answers, timeout_s=30)
        row = await scheduler.ladder()
        again = await scheduler.nc.request(subject, _JSON.encode([command]), timeout=PATIENCE_S)
        history = await scheduler.history()

    assert (row.level, again.data) == (Level.SHED, first.data)
    assert row.override is not None
    assert len(history) == 4


async def test_it_follows_the_feed_and_passes_over_a_variant_that_fails(
    nats_url: str, tmp_path: Path, scheduler: Neighbour
) -> None:
    await provision(scheduler.nc)
    await scheduler.publish([registered("large", 0.9, 800.0)])
    await scheduler.publish([registered("small", 0.5, 100.0)])
    await scheduler.publish([attached("gpu-0", "large", "small")])
    async with service(nats_url, tmp_path / "data"):
        await wait_until(scheduler.answers, timeout_s=30)

        failed = attempt_failed("out_of_memory", at=time.time())
        await scheduler.publish([granted("large"), failed])

        await wait_until(lambda: has_fallback(scheduler), timeout_s=30)
        (fallback,) = (await scheduler.ladder()).fallbacks

    assert (fallback.variant, fallback.fallback) == ("large", "small")


async def test_it_climbs_by_the_samples_of_the_leader(
    nats_url: str, tmp_path: Path, scheduler: Neighbour
) -> None:
    quick = {"POINTSMAN_DEGRADATION_UP_HOLD_S": "0.1"}
    async with service(nats_url, tmp_path / "data", **quick):
        await wait_until(scheduler.answers, timeout_s=30)
        at = 1.0

        async def climbed() -> bool:
            nonlocal at
            at += 1.0
            heard = sample(at, wait_s=60.0, queued=100, accepted=int(at * 1000))
            await scheduler.nc.publish(subjects.pool_sample("main"), _JSON.encode(heard))
            return (await scheduler.ladder()).level is Level.SHED

        await wait_until(climbed, timeout_s=30)
        history = await scheduler.history()

    assert [row.what.partition(":")[0] for row in reversed(history)] == [
        "normal -> conserve (wait_long)",
        "conserve -> degrade (wait_long)",
        "degrade -> shed (wait_long)",
    ]


async def test_it_ends_and_starts_again_in_one_process_on_one_log(
    nats_url: str, tmp_path: Path, scheduler: Neighbour
) -> None:
    settings = Settings(nats_url=nats_url, data=tmp_path)
    command = SetOverride(command_id="one", pool="main", level=Level.SHED, ttl_s=600.0, by="ada")
    store = MemoryEventStore()
    # The first life ends while it waits for the feed, which the second one finds.
    first = ServiceScope("degradation")
    starting = asyncio.ensure_future(SERVICE.start(first, settings, store))
    await wait_until(scheduler.answers, timeout_s=30)
    await scheduler.nc.request(
        subjects.command("degradation", "override"), _JSON.encode([command]), timeout=PATIENCE_S
    )
    starting.cancel()
    await asyncio.gather(starting, return_exceptions=True)
    await first.close()
    gone = not await scheduler.answers()

    await provision(scheduler.nc)
    second = ServiceScope("degradation")
    await SERVICE.start(second, settings, store)
    row = await scheduler.ladder()
    await second.close()

    assert gone
    assert row.level is Level.SHED
    assert (first.failure, second.failure) == (None, None)


async def test_thresholds_that_do_not_rise_are_refused(nats_url: str, tmp_path: Path) -> None:
    wrong = {"POINTSMAN_DEGRADATION_SHED_S": "0.1"}
    async with service(nats_url, tmp_path / "data", **wrong) as process:
        status = await process.wait()

    assert status == 1


async def has_fallback(scheduler: Neighbour) -> bool:
    return bool((await scheduler.ladder()).fallbacks)
