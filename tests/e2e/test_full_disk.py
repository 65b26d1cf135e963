"""A stack whose disk is full stops accepting and says so; with space it goes on, nothing lost."""

import asyncio
import json
from pathlib import Path
from typing import Any, Final, cast

from pointsman.cli.failures import ExitCode
from pointsman.contracts.history import judge
from pointsman.contracts.task_states import TaskState
from tests.e2e.live_stack import identity_task, live_stack, show
from tests.e2e.up import pointsman
from tests.support.small_disk import fill, small_disk

TASKS: Final = 5


async def refused(data: Path) -> dict[str, Any]:
    """What a person is told whose task cannot be accepted."""
    done = await asyncio.to_thread(
        pointsman, "task", "submit", "identity", "a text", "--data", str(data), "-o", "json"
    )
    assert done.returncode == ExitCode.FAILURE, done.stdout
    return cast("dict[str, Any]", json.loads(done.stdout)["error"])


async def test_a_full_disk_stops_accepting_says_so_and_is_over_with_space(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", mib=96) as disk:
        async with live_stack(disk / "data", noop=True) as stack:
            before = [await stack.submit(identity_task()) for _ in range(TASKS)]
            await stack.log.wait_for_ends(before)
            ballast = fill(disk)

            told = await refused(disk / "data")
            ballast.unlink()
            after = [await stack.submit(identity_task()) for _ in range(TASKS)]
            await stack.log.wait_for_ends(after)
            events = stack.log.events

    verdict = judge(events)
    show(test="full disk", mode="noop", told=told, ended=verdict.ended, faults=verdict.faults())
    # By SQLite, or by the watch that looks before anything breaks: whichever comes first.
    words = {"unavailable": "disk is full", "disk_full": "room for data is 100% full"}
    assert words[told["code"]] in told["message"]
    assert told["next"]
    assert verdict.clean, verdict.faults()
    assert verdict.ended[TaskState.COMPLETED] >= 2 * TASKS
