"""A process is killed exactly at each step of a task's life, and nothing is lost or done twice."""

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Final

import pytest
import pytest_asyncio

from pointsman.cli.stack.plan import EXECUTOR, SERVICES
from pointsman.contracts.history import judge
from pointsman.contracts.task_states import TaskState
from pointsman.runtime.crashpoints import CrashPoint
from pointsman.testing import wait_until
from tests.e2e.crash_bench import COMMANDS, MESSAGES, CrashBench, crash_bench
from tests.e2e.crashes import Crash, accepted_twice
from tests.e2e.live_stack import show

# Which process passes a point, and the hit that is in the middle of the tasks of a crash: a relay
# publishes from the first moment on, a scheduler asks for messages before there are any.
POINTS: Final = {
    CrashPoint.BEFORE_INBOX_RECEIVE: (SERVICES, 2),
    CrashPoint.AFTER_INBOX_RECEIVE: (SERVICES, 1),
    CrashPoint.BEFORE_APPEND_ACCEPTED: (SERVICES, 3),
    CrashPoint.AFTER_APPEND_ACCEPTED: (SERVICES, 3),
    CrashPoint.BEFORE_INBOX_ACK: (SERVICES, 2),
    CrashPoint.AFTER_INBOX_ACK: (SERVICES, 2),
    CrashPoint.BEFORE_APPEND_GRANTED: (SERVICES, 2),
    CrashPoint.AFTER_APPEND_GRANTED: (SERVICES, 2),
    CrashPoint.BEFORE_GRANT_SENT: (SERVICES, 2),
    CrashPoint.AFTER_GRANT_SENT: (SERVICES, 2),
    CrashPoint.BEFORE_RECEIPT: (EXECUTOR, 2),
    CrashPoint.AFTER_RECEIPT: (EXECUTOR, 2),
    CrashPoint.BEFORE_ENGINE_CALL: (EXECUTOR, 3),
    CrashPoint.AFTER_ENGINE_CALL: (EXECUTOR, 3),
    CrashPoint.BEFORE_RESULT_STORED: (EXECUTOR, 3),
    CrashPoint.AFTER_RESULT_STORED: (EXECUTOR, 3),
    CrashPoint.BEFORE_REPORT_SENT: (EXECUTOR, 3),
    CrashPoint.AFTER_REPORT_SENT: (EXECUTOR, 3),
    CrashPoint.BEFORE_APPEND_COMPLETED: (SERVICES, 3),
    CrashPoint.AFTER_APPEND_COMPLETED: (SERVICES, 3),
    CrashPoint.BEFORE_RELAY_PUBLISH: (SERVICES, 4),
    CrashPoint.AFTER_RELAY_PUBLISH: (SERVICES, 3),
}


@pytest.fixture(scope="module")
def crashes() -> list[Crash]:
    return []


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def bench(
    tmp_path_factory: pytest.TempPathFactory, crashes: list[Crash]
) -> AsyncGenerator[CrashBench]:
    async with crash_bench(tmp_path_factory.mktemp("crashes") / "data") as bench:
        yield bench
        report(bench, crashes)


def report(bench: CrashBench, crashes: list[Crash]) -> None:
    """One line per crash for people and scripts; `pytest -s` lets them through."""
    for crash in crashes:
        show(
            test="crash point",
            point=crash.point,
            died=crash.part,
            tasks=len(crash.tasks),
            second_attempts=sum(attempts > 1 for attempts in crash.attempts.values()),
            seconds=crash.seconds,
        )
    show(
        test="crash points",
        engine=bench.devices[0].kind,
        passed=f"{len(crashes)} of {len(POINTS)}",
        seconds=round(sum(crash.seconds for crash in crashes), 1),
    )


def test_every_crash_point_is_tried() -> None:
    assert list(POINTS) == list(CrashPoint)
    assert len(POINTS) == 22


@pytest.mark.slow
@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("point", POINTS)
async def test_a_process_killed_at_this_point_loses_and_doubles_nothing(
    point: CrashPoint, bench: CrashBench, crashes: list[Crash], tmp_path: Path
) -> None:
    part, hit = POINTS[point]

    crash = await bench.crash(point, hit, part, tmp_path)

    assert_died_there(crash)
    assert_every_task_ended_once(crash)
    assert_attempts_are_few(crash)
    assert crash.fed == crash.events
    assert [event.position for event in crash.fed] == list(range(1, len(crash.events) + 1))
    assert crash.live_views == crash.rebuilt_views
    crashes.append(crash)


@pytest.mark.slow
@pytest.mark.asyncio(loop_scope="module")
async def test_messages_that_were_delivered_again_have_made_no_second_task(
    bench: CrashBench, crashes: list[Crash]
) -> None:
    """What was not acknowledged comes again after 10 s, in the middle of later crashes."""
    await wait_until(bench.inbox_is_empty, timeout_s=60, message="every message acknowledged")
    await bench.log.read_on()

    assert crashes
    assert not accepted_twice(bench.log.events)


def assert_died_there(crash: Crash) -> None:
    """By its own hand: a process that was ended by anything else proves nothing."""
    assert crash.status == -9
    assert f'"point": "{crash.point}"' in crash.last_words


def assert_every_task_ended_once(crash: Crash) -> None:
    verdict = judge(crash.events)
    assert verdict.clean, verdict.faults()
    assert verdict.ended == {TaskState.COMPLETED: verdict.accepted}
    # Each asker found a task of its own, so none was accepted twice.
    assert crash.asked == len(crash.tasks) == MESSAGES + COMMANDS
    assert not accepted_twice(crash.events)
    assert not crash.wrong_results()


def assert_attempts_are_few(crash: Crash) -> None:
    """Only who holds an attempt can lose it: a leader's successor adopts what is granted."""
    most = 2 if crash.part == EXECUTOR else 1
    assert set(crash.attempts.values()) <= set(range(1, most + 1))
