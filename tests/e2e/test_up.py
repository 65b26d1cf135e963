"""`pointsman up` from its start to every way in which it ends."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import psutil
import pytest

from pointsman.cli.failures import ExitCode
from pointsman.cli.stack.accounts import SCHEDULER
from pointsman.cli.stack.plan import EXECUTOR, POOL, SERVICES
from pointsman.contracts import subjects
from pointsman.testing import wait_until
from tests.e2e.live_stack import logged_in, show
from tests.e2e.up import RunningUp, gone, pointsman, running_up

RENEWALS: Final = 3
RENEWALS_S: Final = 30
SERVICES_MB: Final = 250
ORPHANS_S: Final = 30
_PREFIX: Final = "shm-region-prefix-name="

pytestmark = [pytest.mark.alone, pytest.mark.triton, pytest.mark.usefixtures("triton_supported")]


def shared_memory(processes: list[psutil.Process]) -> str:
    """How the shared-memory regions of a stack's Triton are called."""
    words = (word for process in processes for word in process.cmdline() if _PREFIX in word)
    return next(words).partition(_PREFIX)[2]


def regions(prefix: str) -> list[str]:
    return sorted(path.name for path in Path("/dev/shm").glob(f"{prefix}*"))  # noqa: S108 - where Triton puts them


async def hear_renewals(up: RunningUp, count: int) -> None:
    """Return when the executor has said so often that it lives."""
    heard: list[object] = []

    async def take(message: object) -> None:
        heard.append(message)

    async with logged_in(up.record, SCHEDULER) as nc:
        await nc.subscribe(subjects.renewals(POOL), cb=take)
        await wait_until(lambda: len(heard) >= count, timeout_s=RENEWALS_S)


def completes_a_task(data: Path) -> bool:
    done = pointsman(
        "task", "submit", "embed", "a text", "--wait", "-o", "json", "--data", str(data)
    )
    return done.returncode == 0 and json.loads(done.stdout)["state"] == "completed"


@pytest.fixture
def up(tmp_path: Path) -> Iterator[RunningUp]:
    with running_up(tmp_path / "data") as running:
        yield running


@pytest.mark.slow
async def test_a_stack_is_small_private_and_alone_in_its_directory(up: RunningUp) -> None:
    mode = (up.data / "stack.json").stat().st_mode & 0o777
    second = pointsman("up", "--data", str(up.data), "-o", "json")
    works = completes_a_task(up.data)
    await hear_renewals(up, RENEWALS)

    rss_mb = {
        "supervisor": round(up.rss_mb(), 1),
        SERVICES: round(up.rss_mb(SERVICES), 1),
        EXECUTOR: round(up.rss_mb(EXECUTOR), 1),
    }
    services_mb = round(sum(rss_mb.values()), 1)
    show(test="up", rss_mb=rss_mb, services_mb=services_mb, limit_mb=SERVICES_MB)
    assert mode == 0o600
    assert second.returncode == ExitCode.CONFLICT
    error = json.loads(second.stdout)["error"]
    assert error["code"] == "directory_in_use"
    assert str(up.process.pid) in error["message"]
    assert works
    assert services_mb <= SERVICES_MB


@pytest.mark.slow
async def test_ctrl_c_ends_everything(up: RunningUp) -> None:
    processes = up.processes()
    prefix = shared_memory(processes)
    assert regions(prefix), "Triton's models share memory with it"

    began = time.monotonic()
    status = up.interrupt()

    show(test="ctrl-c", processes=len(processes), ended_after_s=round(time.monotonic() - began, 2))
    assert status == ExitCode.OK
    assert gone(processes)
    assert regions(prefix) == []
    assert not (up.data / "stack.json").exists()


@pytest.mark.slow
async def test_a_killed_supervisor_leaves_nothing_in_the_way_of_the_next(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with running_up(data) as up:
        processes = up.processes()
        prefix = shared_memory(processes)

        began = time.monotonic()
        up.kill()

        await wait_until(lambda: gone(processes), timeout_s=ORPHANS_S, message="orphans ended")
        orphans_s = round(time.monotonic() - began, 2)
    with running_up(data) as up:
        assert completes_a_task(data)
        assert shared_memory(up.processes()) == prefix
        assert up.interrupt() == ExitCode.OK
    show(test="supervisor killed", processes=len(processes), children_gone_after_s=orphans_s)
    assert regions(prefix) == []
