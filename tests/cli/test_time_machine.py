"""Questions about the past as a person asks them, of a running stack and of a log by itself."""

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Final
from uuid import uuid4

import pytest

from pointsman.cli.failures import ExitCode
from pointsman.contracts.events import LeaderElected
from pointsman.contracts.streams import stream_id
from pointsman.contracts.topics import EventCodec
from pointsman.eventstore import SqliteEventStore
from pointsman.eventstore.ports import Append, NewEvent
from tests.cli.command_line import CommandLine, completed_task
from tests.cli.in_process import Hand
from tests.support.ended_tasks import DAY, HEAD, ended_tasks, fill

NOON_US: Final = 1_767_268_800_000_000
SECOND_US: Final = 1_000_000
EVENTS: Final = HEAD + 1


@pytest.fixture
async def past(tmp_path: Path) -> Hand:
    """On the log of a pool that was led for a day, an event a second from noon on."""
    (tmp_path / "data").mkdir()
    clock = iter(range(NOON_US, NOON_US + 2 * EVENTS * SECOND_US, SECOND_US))
    async with SqliteEventStore(tmp_path / "data" / "log.db", clock=clock.__next__) as store:
        await fill(store)
        elected = LeaderElected(at=0.0, applied_to=HEAD, pool="main", epoch=1, holder="here")
        state, stream = EventCodec().encode(elected), stream_id("pool", "main")
        topic = EventCodec().topic(elected)
        await store.append(Append([NewEvent(uuid4(), stream, 1, topic, state, elected)]))
    return Hand(tmp_path / "data")


def change_grant(log: Path, change: Callable[[bytes], bytes]) -> int:
    """Write other bytes into the first grant of a log; its position."""
    with sqlite3.connect(log) as db:
        (position, body) = db.execute(
            "SELECT notification_id, state FROM stored_events WHERE topic = 'task.granted.v1'"
        ).fetchone()
        db.execute(
            "UPDATE stored_events SET state = ? WHERE notification_id = ?", (change(body), position)
        )
    db.close()
    return int(position)


def test_every_decision_of_a_running_stack_is_made_again(pointsman: CommandLine) -> None:
    task = completed_task(pointsman)

    report = pointsman.json("replay", "--verify")

    assert task
    assert report["verified"] == report["decisions"] >= 3
    assert (report["different"], report["stopped"], report["beyond_window"]) == (0, None, 0)
    assert min(report["fold_events_per_s"], report["decisions_per_s"]) > 0


def test_a_log_is_folded_alone_unless_its_decisions_are_asked_for(past: Hand) -> None:
    report = past.json("replay")

    assert (report["events"], report["stopped"]) == (EVENTS, None)
    assert "decisions" not in report
    assert f"{EVENTS} events folded" in past("replay").stdout
    assert past("replay", "--from", "3").returncode == ExitCode.USAGE


def test_archived_events_and_backups_are_verified_alike(past: Hand, tmp_path: Path) -> None:
    before = past.json("replay", "--verify")
    state = past.json("state", "--at", str(HEAD // 2))
    moved = past.json("log", "archive", "--before", str(HEAD))
    past.json("backup", str(tmp_path / "backup"))

    copied = past.json("replay", "--verify", "--backup", str(tmp_path / "backup"))
    again = past.json("state", "--at", str(HEAD // 2))

    assert (before["events"], before["different"]) == (EVENTS, 0)
    assert before["decisions"] + sum(before["not_redecided"].values()) == EVENTS
    assert moved["tasks"] >= len(ended_tasks()) - 1
    for name in ("events", "decisions", "verified", "not_redecided"):
        assert copied[name] == before[name]
    assert {**again, "seconds": 0} == {**state, "seconds": 0}


def test_a_changed_decision_is_named_and_fails_the_command(past: Hand, tmp_path: Path) -> None:
    log = tmp_path / "data" / "log.db"
    position = change_grant(
        log, lambda body: json.dumps({**json.loads(body), "run_timeout_s": 77.0}).encode()
    )

    words = past("replay", "--verify", "--log", str(log))

    assert words.returncode == ExitCode.FAILURE
    assert f"position {position} (task.granted.v1): run_timeout_s was 77.0" in words.stdout


def test_what_was_found_before_damage_is_told_with_the_next_step(
    past: Hand, tmp_path: Path
) -> None:
    position = change_grant(tmp_path / "data" / "log.db", lambda body: body[:9])

    words = past("replay", "--verify")
    report = json.loads(past("replay", "--verify", "-o", "json").stdout)
    state = past("state")

    assert words.returncode == ExitCode.FAILURE
    assert f"{position - 1} events folded; of " in words.stdout
    assert f"stopped at position {position} (task.granted.v1)" in words.stdout
    assert "Run `pointsman verify`" in words.stdout
    assert f"Run `pointsman verify --data {tmp_path / 'data'}`" in state.stderr
    assert report["stopped"]["code"] == "unreadable_event"
    assert (report["different"], report["decisions"] > 0) == (0, True)


def test_several_logs_are_verified_at_once_each_by_itself(past: Hand, tmp_path: Path) -> None:
    logs = ("--log", str(tmp_path / "data"), "--log", str(tmp_path / "none"))
    past.json("backup", str(tmp_path / "backup"))

    both = past("replay", "--verify", *logs, "--backup", str(tmp_path / "backup"))
    lines = past("replay", "--verify", *logs, "-o", "jsonl").stdout.splitlines()
    one = past.json("replay", "--verify", "--log", str(tmp_path / "data"))

    assert both.returncode == ExitCode.FAILURE
    assert "[log_missing]" in both.stdout
    assert f"3 logs, {2 * EVENTS} events; of {2 * one['decisions']} decisions" in both.stdout
    assert "0 differ; 1 log failed" in both.stdout
    assert [json.loads(line).get("events") for line in lines] == [EVENTS, None]


def test_the_state_of_a_time_is_that_of_the_last_event_before_it(past: Hand) -> None:
    by_time = past.json("state", "--at", "2026-01-01T12:01:00.5Z")
    shown = past("state", "--at", "61")

    assert by_time["position"] == by_time["folded"] == 61
    assert "pool main at position 61, 2026-01-01 12:01:00 UTC" in shown.stdout
    assert "61 events folded in" in shown.stdout


def test_what_another_policy_would_have_done_stands_beside_what_was_done(
    past: Hand,
) -> None:
    report = past.json("whatif", "--policy", "fifo", "--devices", "2")
    shown = past("whatif", "--policy", "fifo")

    assert report["tasks"] <= len(DAY.accepted)
    assert set(report["error"]) == set(report["change"]) == {"mean_wait_s", "p90_wait_s"}
    assert report["simulated"] is True
    assert "error of the simulation: mean wait" in shown.stdout
    assert "assumed: " in shown.stdout


def test_why_a_device_has_what_it_has_is_told_without_a_stack(past: Hand) -> None:
    why = past.json("device", "why", "cpu-0", "--last", "2")

    assert len(why["told"]) == len(why["positions"]) == 2


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        (("state", "--at", "2020-01-01"), "before_log"),
        (("state", "--at", str(EVENTS + 1)), "beyond_log"),
        (("state", "--at", "2099-01-01"), "beyond_log"),
        (("replay", "--verify", "--from", str(EVENTS + 1)), "beyond_log"),
        (("replay", "--verify", "--to", str(EVENTS + 1)), "beyond_log"),
        (("whatif", "--policy", "fifo", "--from", "90", "--to", "9"), "empty_span"),
    ],
)
def test_a_moment_that_the_log_does_not_hold_is_wrong_usage(
    past: Hand, asked: tuple[str, ...], code: str
) -> None:
    refused = past(*asked, "-o", "json")

    assert refused.returncode == ExitCode.USAGE
    assert json.loads(refused.stdout)["error"]["code"] == code


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        (("state", "--pool", "other"), "no_such_pool"),
        (("whatif", "--policy", "no-such"), "policy_missing"),
        (("device", "why", "no-such"), "no_such_device"),
        (("replay", "--verify", "--log", "none.db"), "log_missing"),
    ],
)
def test_what_is_not_there_is_not_found(past: Hand, asked: tuple[str, ...], code: str) -> None:
    refused = past(*asked, "-o", "json")

    assert refused.returncode == ExitCode.NOT_FOUND
    assert json.loads(refused.stdout)["error"]["code"] == code
