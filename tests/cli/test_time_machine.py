"""Questions about the past as a person asks them, on a log whose stack does not run."""

import json
import sqlite3
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
from tests.cli.command_line import CommandLine
from tests.support.ended_tasks import DAY, HEAD, ended_tasks, fill

NOON_US: Final = 1_767_268_800_000_000
SECOND_US: Final = 1_000_000
EVENTS: Final = HEAD + 1


@pytest.fixture
async def pointsman(tmp_path: Path) -> CommandLine:
    """On the log of a pool that was led for a day, an event a second from noon on."""
    (tmp_path / "data").mkdir()
    clock = iter(range(NOON_US, NOON_US + 2 * EVENTS * SECOND_US, SECOND_US))
    async with SqliteEventStore(tmp_path / "data" / "log.db", clock=clock.__next__) as store:
        await fill(store)
        elected = LeaderElected(at=0.0, applied_to=HEAD, pool="main", epoch=1, holder="here")
        state, stream = EventCodec().encode(elected), stream_id("pool", "main")
        topic = EventCodec().topic(elected)
        await store.append(Append([NewEvent(uuid4(), stream, 1, topic, state, elected)]))
    return CommandLine(tmp_path / "data")


def test_every_decision_of_a_log_is_made_again(pointsman: CommandLine) -> None:
    report = pointsman.json("replay", "--verify")

    assert (report["events"], report["pools"]) == (EVENTS, ["main"])
    assert report["verified"] == report["decisions"] > HEAD / 2
    assert (report["different"], report["stopped"], report["beyond_window"]) == (0, None, 0)
    assert report["decisions"] + sum(report["not_redecided"].values()) == EVENTS
    assert min(report["fold_events_per_s"], report["decisions_per_s"]) > 0


def test_archived_events_and_backups_are_verified_alike(
    pointsman: CommandLine, tmp_path: Path
) -> None:
    before = pointsman.json("replay", "--verify")
    state = pointsman.json("state", "--at", str(HEAD // 2))
    moved = pointsman.json("log", "archive", "--before", str(HEAD))
    pointsman.json("backup", str(tmp_path / "backup"))

    after = pointsman.json("replay", "--verify")
    copied = pointsman.json("replay", "--verify", "--backup", str(tmp_path / "backup"))

    assert moved["tasks"] >= len(ended_tasks()) - 1
    counts = ("events", "decisions", "verified", "not_redecided")
    assert [after[name] for name in counts] == [before[name] for name in counts]
    assert [copied[name] for name in counts] == [before[name] for name in counts]
    again = pointsman.json("state", "--at", str(HEAD // 2))
    assert {**again, "seconds": 0} == {**state, "seconds": 0}


def test_a_changed_decision_is_named_and_fails_the_command(
    pointsman: CommandLine, tmp_path: Path
) -> None:
    log = tmp_path / "data" / "log.db"
    with sqlite3.connect(log) as db:
        (position, body) = db.execute(
            "SELECT notification_id, state FROM stored_events WHERE topic = 'task.granted.v1'"
        ).fetchone()
        changed = json.dumps({**json.loads(body), "run_timeout_s": 77.0}).encode()
        db.execute(
            "UPDATE stored_events SET state = ? WHERE notification_id = ?", (changed, position)
        )
    db.close()

    found = pointsman("replay", "--verify", "--log", str(log), "-o", "json")
    words = pointsman("replay", "--verify")

    assert found.returncode == words.returncode == ExitCode.FAILURE
    first = json.loads(found.stdout)["differences"][0]
    assert (first["position"], first["field"], first["recorded"]) == (position, "run_timeout_s", 77)
    assert f"position {position} (task.granted.v1): run_timeout_s was 77" in words.stdout


def test_the_state_of_a_time_is_that_of_the_last_event_before_it(pointsman: CommandLine) -> None:
    by_position = pointsman.json("state", "--at", "61")
    by_time = pointsman.json("state", "--at", "2026-01-01T12:01:00.5Z")
    shown = pointsman("state", "--at", "61")

    assert by_position["position"] == by_time["position"] == 61
    assert by_position["queued"] == by_time["queued"]
    assert by_position["folded"] == 61
    assert "pool main at position 61, 2026-01-01 12:01:00 UTC" in shown.stdout
    assert "61 events folded in" in shown.stdout


def test_what_another_policy_would_have_done_stands_beside_what_was_done(
    pointsman: CommandLine,
) -> None:
    report = pointsman.json("whatif", "--policy", "fifo", "--devices", "2")
    shown = pointsman("whatif", "--policy", "fifo")

    assert report["tasks"] <= len(DAY.accepted)
    assert set(report["error"]) == set(report["change"]) == {"mean_wait_s", "p90_wait_s"}
    assert report["simulated"] is True
    assert "error of the simulation: mean wait" in shown.stdout
    assert "assumed: " in shown.stdout


def test_why_a_device_has_what_it_has_is_told_without_a_stack(pointsman: CommandLine) -> None:
    why = pointsman.json("device", "why", "cpu-0", "--last", "2")

    assert len(why["told"]) == len(why["positions"]) == 2
    assert pointsman("device", "why", "no-such").returncode == ExitCode.FAILURE


def test_what_cannot_be_answered_says_what_to_do(pointsman: CommandLine, tmp_path: Path) -> None:
    nothing = CommandLine(tmp_path / "nowhere")

    assert nothing("replay", "--verify").returncode == ExitCode.NOT_FOUND
    assert pointsman("replay").returncode == ExitCode.USAGE
    early = pointsman("state", "--at", "2020-01-01", "-o", "json")
    assert json.loads(early.stdout)["error"]["code"] == "before_log"
    other = pointsman("state", "--pool", "other", "-o", "json")
    assert json.loads(other.stdout)["error"]["code"] == "pool_unclear"
    missing = pointsman("state", "--log", str(tmp_path / "none.db"), "-o", "json")
    assert json.loads(missing.stdout)["error"]["code"] == "log_missing"
