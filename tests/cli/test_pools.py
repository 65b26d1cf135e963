"""A stack of two pools: what is started for it, and what the commands say of both."""

import json
from collections import Counter
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
import typer

from pointsman.cli.failures import ExitCode
from pointsman.cli.stack.accounts import SCHEDULER, WATCHERS, nats_users, new_accounts
from pointsman.cli.stack.children import executor_environment, service_environment
from pointsman.cli.stack.data_directory import DataDirectory
from pointsman.cli.stack.log_place import OWN_POSTGRESQL
from pointsman.cli.stack.plan import EXECUTOR, POOL, STANDBY, StackPlan
from pointsman.cli.stack.project import find_project
from pointsman.cli.stack.record import DeviceRecord
from pointsman.cli.stack_options import check_pool_options
from pointsman.cli.together.__main__ import VITAL, Settings, Together
from pointsman.contracts import subjects
from pointsman.runtime.service import ServiceScope
from pointsman.testing.memory_event_store import MemoryEventStore
from tests.cli.command_line import RunningUp, running_up
from tests.cli.in_process import Hand, log_as_before
from tests.cli.small_services import SmallService, finder

SECOND = "pool-2"
WHY = ("--reason", "a drill")


def plan(data: Path, *, standby: bool = False) -> StackPlan:
    return StackPlan(
        data, find_project(), noop=True, processes=True, standby=standby, devices=2, pools=2
    )


def test_each_pool_has_a_scheduler_a_standby_an_executor_and_devices(tmp_path: Path) -> None:
    alone, both = plan(tmp_path), plan(tmp_path, standby=True)

    assert list(alone.service_parts) == [SCHEDULER, "scheduler-pool-2", *WATCHERS]
    assert both.pool_of_part == {
        SCHEDULER: POOL,
        STANDBY: POOL,
        "scheduler-pool-2": SECOND,
        "scheduler-2-pool-2": SECOND,
    }
    assert alone.executors == {EXECUTOR: POOL, "executor-pool-2": SECOND}
    assert {name: alone.pool_of_device(name) for name in alone.device_names} == {
        "noop-0": POOL,
        "noop-1": POOL,
        "noop-2": SECOND,
        "noop-3": SECOND,
    }


def test_the_parts_of_a_pool_are_told_which_it_is(tmp_path: Path) -> None:
    told = plan(tmp_path)
    devices = [
        DeviceRecord(name, "noop:", "noop", pool=told.pool_of_device(name))
        for name in told.device_names
    ]
    directory = DataDirectory(tmp_path, OWN_POSTGRESQL)
    accounts = new_accounts(list(told.executors), [])
    common = (directory, accounts, "nats://127.0.0.1:4222", devices)

    leader = service_environment(told, *common, part="scheduler-pool-2", database_url="")
    ladder = service_environment(told, *common, part="degradation", database_url="")
    executor = executor_environment(
        told, directory, accounts["executor-pool-2"], "nats://127.0.0.1:4222", devices
    )
    directory.release()

    assert (leader["POINTSMAN_POOL"], ladder["POINTSMAN_POOL"]) == (SECOND, POOL)
    assert executor["POINTSMAN_EXECUTOR_POOL"] == SECOND
    assert executor["POINTSMAN_EXECUTOR_DEVICES"] == "noop-2=noop:,noop-3=noop:"


def test_an_executor_reports_to_the_leader_of_its_own_pool_only() -> None:
    executors = {EXECUTOR: POOL, "executor-pool-2": SECOND}
    users = nats_users(
        new_accounts(list(executors), []), pool=POOL, executors=executors, tenants=[]
    )

    second = next(user for user in users if user.name == "executor-pool-2")

    assert subjects.command(SCHEDULER, "report", SECOND) in second.publish
    assert not [subject for subject in second.publish if f".{POOL}" in subject]


def test_whose_server_is_whose_would_not_be_known() -> None:
    with pytest.raises(typer.BadParameter, match="exclude each other"):
        check_pool_options(pools=2, attach=["grpc://127.0.0.1:8001"])
    check_pool_options(pools=1, attach=["grpc://127.0.0.1:8001"])


async def test_one_process_houses_a_scheduler_for_each_pool() -> None:
    said: list[str] = []
    scheduler, other = SmallService(VITAL, said), SmallService("one", said)
    scope = ServiceScope("services")
    settings = Settings(together_services=f"{VITAL},one", together_pools="main,pool-2")
    together = Together(scope, settings, find=finder(scheduler, other))

    await together.start(MemoryEventStore())
    await together.housed["one"].up()

    assert list(together.housed) == [VITAL, f"{VITAL}-{SECOND}", "one"]
    assert len(scheduler.scopes) == 2
    await scope.close()
    assert scope.failure is None


@pytest.fixture(scope="module")
def group(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningUp]:
    with running_up(tmp_path_factory.mktemp("group") / "data", "--noop", "--pools", "2") as up:
        yield up


@pytest.fixture
def pointsman(group: RunningUp) -> Generator[Hand]:
    with log_as_before():
        yield Hand(group.data)


def test_lists_tell_the_pools_apart(pointsman: Hand) -> None:
    pools = pointsman.json("pool", "ls")
    devices = pointsman.json("device", "ls")
    models = pointsman.json("model", "ls")

    assert [(row["pool"], row["devices"], row["epoch"]) for row in pools] == [
        (POOL, 1, 1),
        (SECOND, 1, 1),
    ]
    assert {row["device"]: row["pool"] for row in devices} == {"noop-0": POOL, "noop-1": SECOND}
    assert {row["pool"] for row in models} == {POOL, SECOND}


def test_many_tasks_are_spread_and_listed_together(pointsman: Hand, tmp_path: Path) -> None:
    lines = tmp_path / "tasks.jsonl"
    texts = ({"family": "identity", "text": f"text {number}"} for number in range(60))
    lines.write_text("\n".join(map(json.dumps, texts)))

    sent = pointsman("task", "submit-many", str(lines), "--bulk", "many")
    again = pointsman("task", "submit-many", str(lines), "--bulk", "many")
    rows = pointsman.json("task", "ls", "--bulk", "many", "--limit", "100")
    second = pointsman.json("task", "ls", "--bulk", "many", "--pool", SECOND, "--limit", "100")

    spread = Counter(row["pool"] for row in rows)
    assert sent.stderr.strip() == "60 accepted, 0 duplicate, 0 refused"
    assert again.stderr.strip() == "0 accepted, 60 duplicate, 0 refused"
    assert len(rows) == 60
    assert min(spread[POOL], spread[SECOND]) >= 15
    assert len(second) == spread[SECOND]


def test_a_task_says_why_it_is_in_its_pool(pointsman: Hand) -> None:
    chosen = pointsman.json("task", "submit", "identity", "a text", "--wait")["task"]
    named = pointsman.json("task", "submit", "identity", "b", "--pool", SECOND, "--wait")["task"]

    assert "of two drawn out of 2 (draws 0." in pointsman("task", "why", chosen).stdout
    assert f"Pool {SECOND} was named for it." in pointsman("task", "why", named).stdout
    assert pointsman.json("task", "get", named)["device"] == "noop-1"
    absent = pointsman("task", "submit", "identity", "c", "--pool", "absent")
    assert absent.returncode == ExitCode.NOT_FOUND


def test_a_paused_pool_gets_nothing_and_a_tenant_is_paused_in_all(pointsman: Hand) -> None:
    pointsman.json("pause", "pool", SECOND, *WHY)
    try:
        tasks = [pointsman.json("task", "submit", "identity", "a text") for _ in range(4)]
        rows = [pointsman.json("task", "get", task["task"]) for task in tasks]
        held = pointsman.json("task", "submit", "identity", "later", "--pool", SECOND)["task"]
        shown = pointsman("task", "why", held).stdout
    finally:
        pointsman.json("resume", "pool", SECOND, *WHY)
    pointsman.json("pause", "tenant", "default", *WHY)
    paused = pointsman.json("pause")
    pointsman.json("resume", "tenant", "default", *WHY)

    assert {row["pool"] for row in rows} == {POOL}
    assert f"It waits for the end of a pause: pool {SECOND} is paused by cli:" in shown
    assert [(row["name"], row["pool"]) for row in paused] == [
        ("default", POOL),
        ("default", SECOND),
    ]
    assert pointsman("task", "watch", held).returncode == ExitCode.OK


def test_operators_reach_the_pool_of_a_task_and_of_a_device(pointsman: Hand) -> None:
    later = pointsman.json(
        "task", "submit", "identity", "x", "--pool", SECOND, "--not-before", "1h"
    )["task"]

    held = pointsman.json("task", "hold", later, *WHY)
    cancelled = pointsman.json("task", "cancel", later)
    drained = pointsman.json("device", "drain", "noop-1", *WHY)
    undrained = pointsman.json("device", "undrain", "noop-1", *WHY)

    assert held["detail"] == "held"
    assert cancelled["task"] == later
    assert drained["detail"].startswith("drained")
    assert undrained["detail"] == "it takes work again"
    assert pointsman.json("task", "get", later)["state"] == "cancelled"


def test_a_task_follows_what_it_depends_on_into_its_pool(pointsman: Hand) -> None:
    for pool in (POOL, SECOND):
        first = pointsman.json(
            "task", "submit", "identity", "x", "--pool", pool, "--not-before", "1h"
        )["task"]

        after = pointsman.json("task", "submit", "identity", "y", "--after", first)["task"]

        assert pointsman.json("task", "get", after)["pool"] == pool
        pointsman.json("task", "cancel", first)
