"""`pointsman degradation` against the service itself, on a bus without a scheduler."""

import asyncio
import json
import os
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import typer

from pointsman.cli.commands.degradation import duration_s, ladder_lines
from pointsman.cli.failures import ExitCode
from pointsman.cli.stack.accounts import DEGRADATION, Account, nats_users, new_accounts
from pointsman.cli.stack.record import StackRecord, write_record
from pointsman.contracts.degradation import (
    FallbackRow,
    HoldTimer,
    LadderRow,
    Thresholds,
)
from pointsman.contracts.events import OverrideSet, Pressure, Strategy
from pointsman.contracts.levels import Level
from pointsman.testing.servers import nats_server
from tests.cli.command_line import environment

_COMMAND = "from pointsman.cli.commands.degradation import app; app()"


@dataclass(frozen=True)
class Printed:
    status: int
    out: str
    said: str


@dataclass(frozen=True)
class Ladder:
    """The command line, started as a process of its own each time."""

    data: Path

    async def __call__(self, *args: str) -> Printed:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            _COMMAND,
            *args,
            env={**environment(), "POINTSMAN_DATA": str(self.data)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, said = await process.communicate()
        assert process.returncode is not None
        return Printed(process.returncode, out.decode(), said.decode())


@asynccontextmanager
async def service(url: str, data: Path, account: Account) -> AsyncGenerator[Process]:
    variables = {
        "POINTSMAN_NATS_URL": url,
        "POINTSMAN_NATS_USER": account.user,
        "POINTSMAN_NATS_PASSWORD": account.password,
        "POINTSMAN_DATA": str(data),
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "pointsman.degradation", env=os.environ | variables
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


@pytest.fixture
async def ladder(tmp_path: Path) -> AsyncGenerator[Ladder]:
    accounts = new_accounts([], [])
    users = nats_users(accounts, pool="main", executors=[], tenants=[])
    async with (
        nats_server(tmp_path, users=users) as server,
        service(server.url, tmp_path / "service", accounts[DEGRADATION]),
    ):
        record = StackRecord(
            pointsman="test",
            python=sys.executable,
            pid=os.getpid(),
            data=tmp_path / "data",
            pool="main",
            started_at=0.0,
            ready=True,
            nats_url=server.url,
            nats_version="test",
            accounts=accounts,
            parts={},
        )
        record.data.mkdir()
        write_record(record)
        yield Ladder(record.data)


async def test_a_ladder_that_never_moved_has_no_history(ladder: Ladder) -> None:
    shown = await ladder("show", "-o", "json")
    history = await ladder("show", "--history", "5", "-o", "json")

    (row,) = json.loads(shown.out)
    assert (row["pool"], row["level"], row["override"]) == ("main", "normal", None)
    assert row["inputs"]["unknown"] == ["pool"]
    assert json.loads(history.out) == []


async def test_an_override_is_set_shown_and_cleared(ladder: Ladder) -> None:
    held = await ladder("override", "conserve", "--for", "10m", "--reason", "a drill")
    shown = await ladder("show")
    cleared = await ladder("clear", "-o", "json")
    history = await ladder("show", "--history", "9", "-o", "jsonl")

    assert held.out.startswith("main is held at conserve until ")
    assert shown.out.startswith("main: conserve for ")
    assert "a drill" in shown.out
    assert json.loads(cleared.out)["detail"] == "the ladder of main follows its signals"
    assert [json.loads(line)["topic"] for line in history.out.splitlines()] == [
        "degradation.override_ended.v1",
        "degradation.level_changed.v1",
        "degradation.override_set.v1",
    ]


async def test_an_override_for_too_long_is_refused_with_a_way_on(ladder: Ladder) -> None:
    refused = await ladder("override", "shed", "--for", "25h", "-o", "json")

    error = json.loads(refused.out)["error"]
    assert refused.status == ExitCode.USAGE
    assert error["code"] == "ttl_out_of_range"
    assert "renew it" in error["next"]


async def test_wrong_usage_is_told_apart(ladder: Ladder) -> None:
    statuses = {
        (await ladder(*args)).status
        for args in (
            ("override", "panic", "--for", "10m"),
            ("override", "shed"),
            ("override", "shed", "--for", "soon"),
            ("override", "shed", "--for", "10m", "--reason", ""),
            ("override", "shed", "--for", "10m", "--reason", " "),
            ("override", "shed", "--for", "10m", "--reason", "x" * 501),
            ("show", "--history", "0"),
        )
    }

    assert statuses == {ExitCode.USAGE}


@pytest.mark.parametrize(("text", "length_s"), [("30s", 30), ("10m", 600), ("1.5h", 5400)])
def test_a_time_is_written_with_its_unit(text: str, length_s: float) -> None:
    assert duration_s(text) == length_s


@pytest.mark.parametrize("text", ["", "10", "10 m", "-5s", "1d", "10m5s"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(typer.BadParameter):
        duration_s(text)


def test_a_ladder_is_shown_with_all_that_it_stands_on() -> None:
    row = LadderRow(
        pool="main",
        level=Level.DEGRADE,
        held_s=12.5,
        inputs=Pressure(
            predicted_wait_s=1.92,
            family="summarize",
            alerts=("task_latency/summarize",),
            unknown=("device/gpu-1",),
        ),
        thresholds=Thresholds(
            conserve_s=0.5, degrade_s=1.5, shed_s=15.0, up_hold_s=1.0, recovery_s=4.0,
            hold_s=4.0, recovery_load=0.8, device_high=0.95,
        ),
        override=OverrideSet(
            at=0.0, applied_to=0, pool="main", level=Level.DEGRADE, until=60.0, by="ada", reason=""
        ),
        timers=(HoldTimer(condition="headroom to leave degrade", for_s=2.0, needed_s=4.0),),
        fallbacks=(
            FallbackRow(
                variant="large", family="summarize", fallback="", code="out_of_memory",
                failures=1, since=0.0, until=30.0,
                strategy=Strategy(resource_target_mib=1.0, quality_threshold=0.9, fallbacks=()),
            ),
        ),
    )  # fmt: skip

    assert list(ladder_lines(row)) == [
        "main: degrade for 12.5 s",
        "  override     degrade until 1970-01-01 00:01:00 UTC by ada",
        "  wait         1.92 s, family summarize; enters at 500 ms, 1.5 s, 15 s",
        "  load         unknown of what the best variants carry; recovers at 80%",
        "  device       unknown; at its limit at 95%",
        "  alerts       task_latency/summarize",
        "  unknown      device/gpu-1",
        "  timer        headroom to leave degrade: for 2 s, needed 4 s",
        "  fallback     large -> none is viable until 1970-01-01 00:00:30 UTC: out_of_memory",
    ]
