"""Schedulers that believe to lead at the same time, as processes on a real database.

How long a take-over takes is printed; that it is within five seconds is the business of
`tests/scheduler/test_leader_standby.py`, where the clock does not depend on the machine.
"""

import asyncio
import signal
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import pytest

from pointsman.contracts.recorded import Recorded
from pointsman.runtime.servers import ServerMissingError
from pointsman.testing.tcp_proxy import tcp_proxy
from pointsman.testing.waiting import wait_until
from tests.e2e.live_stack import show
from tests.e2e.rival_schedulers import Process, Rivals, elapsed_since, rivals, soon

pytestmark = pytest.mark.alone

WHILE_STOPPED: Final = 100


@pytest.fixture
async def here(tmp_path: Path) -> AsyncGenerator[Rivals]:
    try:
        async with rivals(tmp_path) as running:
            yield running
    except ServerMissingError as error:
        pytest.skip(str(error))


async def a_leader_and_its_standby(here: Rivals) -> tuple[Process, Process]:
    leader = await here.scheduler()
    await wait_until(lambda: here.leads(leader), timeout_s=20)
    standby = await here.scheduler()
    await here.executor()
    await wait_until(standby.stands_by, timeout_s=20)
    return leader, standby


def check_epochs(log: list[Recorded]) -> None:
    """No leader wrote anything after another had been elected."""
    epochs = [event.epoch for event in log if event.epoch]
    assert epochs == sorted(epochs)


async def test_a_stopped_leader_that_wakes_up_writes_nothing_and_stands_by(here: Rivals) -> None:
    leader, standby = await a_leader_and_its_standby(here)
    await here.wait_completed(await here.submit(20))

    leader.send(signal.SIGSTOP)
    stopped_at = asyncio.get_running_loop().time()
    first = await here.submit(1)
    taken_over_s = elapsed_since(stopped_at)
    tasks = first + await here.submit(WHILE_STOPPED)
    await here.wait_completed(tasks)
    assert await here.leads(standby)
    leader.send(signal.SIGCONT)
    await asyncio.gather(leader.child.wait(), here.wait_completed(await here.submit(20)))

    log = await here.log()
    check_epochs(log)
    assert {event.epoch for event in log if event.stream in tasks} == {2}
    assert leader.child.returncode == 1
    assert [line["code"] for line in leader.said("failed")] == ["fenced"]
    again = await here.scheduler()
    await wait_until(again.stands_by, timeout_s=20)
    handed_over_s = await stop_and_take_over(here, standby, again)
    check_epochs(await here.log())
    show(
        two_leaders="SIGSTOP",
        taken_over_s=taken_over_s,
        decided_meanwhile=len(tasks),
        handed_over_s=handed_over_s,
    )


async def stop_and_take_over(here: Rivals, leader: Process, standby: Process) -> float:
    """In order: the lead is given back, so that nobody waits for its end."""
    leader.send(signal.SIGTERM)
    await leader.child.wait()
    seconds = await soon(lambda: here.leads(standby))
    await here.wait_completed(await here.submit(1))
    assert leader.child.returncode == 0
    return seconds


async def test_a_leader_that_is_cut_from_the_database_but_not_from_the_bus_decides_nothing(
    here: Rivals,
) -> None:
    address = urlsplit(here.dsn)
    assert address.hostname is not None
    assert address.port is not None
    async with tcp_proxy((address.hostname, address.port)) as proxy:
        behind = here.dsn.replace(f":{address.port}/", f":{proxy.port}/")
        leader = await here.scheduler(dsn=behind)
        await wait_until(lambda: here.leads(leader), timeout_s=20)
        standby = await here.scheduler()
        await here.executor()
        await wait_until(standby.stands_by, timeout_s=20)

        proxy.swallow()
        cut_at = asyncio.get_running_loop().time()
        tasks = await here.submit(1)
        taken_over_s = elapsed_since(cut_at)
        tasks += await here.submit(WHILE_STOPPED)
        await here.wait_completed(tasks)
        proxy.restore()
        await asyncio.wait_for(leader.child.wait(), timeout=20)

        log = await here.log()
        check_epochs(log)
        assert {event.epoch for event in log if event.stream in tasks} == {2}
        assert [line["code"] for line in leader.said("failed")] == ["fenced"]
        show(two_leaders="cut from the database", taken_over_s=taken_over_s)
