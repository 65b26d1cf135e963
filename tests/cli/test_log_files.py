"""`backup`, `restore` and `verify` as a person uses them."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import pytest

from pointsman.cli.failures import ExitCode
from pointsman.eventstore import SqliteEventStore
from pointsman.eventstore.ports import Append
from tests.cli.command_line import CommandLine
from tests.support.task_events import a_plain_life, accepted, granted, stream_of


@pytest.fixture
async def pointsman(tmp_path: Path) -> CommandLine:
    """On a log with one finished task (positions 1-3) and one that runs (4, 5)."""
    data = tmp_path / "data"
    async with SqliteEventStore(_directory(data) / "log.db") as store:
        await store.append(Append(a_plain_life()))
        await store.append(Append(stream_of(uuid4(), [accepted(), granted()])))
    return CommandLine(data)


def _directory(path: Path) -> Path:
    path.mkdir()
    return path


def test_a_log_is_backed_up_verified_and_restored(pointsman: CommandLine, tmp_path: Path) -> None:
    backup, new = tmp_path / "backup", CommandLine(tmp_path / "new")

    taken = pointsman.json("backup", str(backup))
    checked = pointsman.json("verify", "--data", str(backup))
    restored = new.json("restore", str(backup), "--to", "4")

    assert taken["position"] == 5
    assert (checked["ok"], checked["events"], checked["link"]) == (True, 5, taken["link"])
    assert (restored["position"], restored["events_undone"]) == (4, 1)
    assert [task["state"] for task in restored["may_run_again"]] == ["granted"]
    assert restored["lost"] == []
    assert new.json("verify")["position"] == 4


def test_people_are_told_what_a_restore_undoes(pointsman: CommandLine, tmp_path: Path) -> None:
    pointsman("backup", str(tmp_path / "backup"))

    said = CommandLine(tmp_path / "new")("restore", str(tmp_path / "backup"), "--to", "3").stdout

    assert "restored to position 3" in said
    assert "1 task: accepted later and lost" in said
    assert "0 tasks: may run again" in said
    assert "pointsman up --data" in said


def test_verify_names_the_first_event_that_was_changed(pointsman: CommandLine) -> None:
    with closing(sqlite3.connect(pointsman.data / "log.db")) as log:
        log.execute("UPDATE stored_events SET tenant = 'mallory' WHERE notification_id = 2")
        log.commit()

    done = pointsman("verify")
    document = json.loads(pointsman("verify", "-o", "json").stdout)

    assert done.returncode == ExitCode.FAILURE
    assert "event 2 (task.granted.v1" in done.stdout
    assert document["broken"]["position"] == 2


def test_a_changed_log_is_not_backed_up(pointsman: CommandLine, tmp_path: Path) -> None:
    with closing(sqlite3.connect(pointsman.data / "log.db")) as log:
        log.execute("UPDATE stored_events SET tenant = 'mallory' WHERE notification_id = 2")
        log.commit()

    done = pointsman("backup", str(tmp_path / "backup"))

    assert done.returncode == ExitCode.FAILURE
    assert "[log_changed]" in done.stderr
    assert "Restore an earlier backup." in done.stderr


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("backup", "there"), "log_missing"),
        (("verify",), "log_missing"),
        (("restore", "nowhere"), "backup_missing"),
        (("state", "--backup", "nowhere"), "backup_missing"),
    ],
)
def test_what_is_missing_is_named(tmp_path: Path, words: tuple[str, ...], code: str) -> None:
    done = CommandLine(tmp_path / "nothing")(*words)

    assert done.returncode == ExitCode.NOT_FOUND
    assert f"[{code}]" in done.stderr


def test_a_moment_that_is_none_is_a_usage_error(tmp_path: Path) -> None:
    done = CommandLine(tmp_path / "new")("restore", str(tmp_path), "--to", "yesterday")

    assert done.returncode == ExitCode.USAGE
    assert "--to" in done.stderr


def test_a_directory_knows_better_than_the_environment_where_its_log_is(
    pointsman: CommandLine, tmp_path: Path
) -> None:
    elsewhere = ("--postgres", "postgresql://nobody:x@127.0.0.1:1/nothing")

    assert pointsman.json("verify", *elsewhere)["position"] == 5
    assert pointsman.json("backup", str(tmp_path / "backup"), *elsewhere)["position"] == 5


def test_a_stopped_stack_with_a_database_of_its_own_is_named(tmp_path: Path) -> None:
    data = _directory(tmp_path / "data")
    (data / "layout.json").write_text('{"layout": 2, "log": "postgresql", "server": ""}')

    for words in (("verify",), ("backup", str(tmp_path / "backup")), ("log", "archive")):
        done = CommandLine(data)(*words, *(("--before", "1") if "log" in words else ()))

        assert done.returncode == ExitCode.UNREACHABLE
        assert "[database_stopped]" in done.stderr
        assert "pointsman up --processes --data" in done.stderr


def test_a_backup_whose_files_were_changed_does_not_verify(
    pointsman: CommandLine, tmp_path: Path
) -> None:
    pointsman("backup", str(tmp_path / "backup"))
    with (tmp_path / "backup" / "log.db").open("r+b") as file:
        file.seek(5000)
        file.write(b"!")

    done = pointsman("verify", "--data", str(tmp_path / "backup"))

    assert done.returncode == ExitCode.FAILURE
    assert "[backup_changed]" in done.stderr


def test_a_failed_backup_and_a_failed_restore_leave_nothing_in_the_way(
    pointsman: CommandLine, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(pointsman.data / "log.db")) as log:
        log.execute("UPDATE stored_events SET tenant = 'mallory' WHERE notification_id = 2")
        log.commit()
    pointsman("backup", str(tmp_path / "backup"))
    new = CommandLine(tmp_path / "new")

    assert new("restore", str(tmp_path / "backup")).returncode == ExitCode.FAILURE

    assert not list((tmp_path / "backup").iterdir())
    assert not new.data.exists()


def test_a_restore_beyond_the_backup_is_refused(pointsman: CommandLine, tmp_path: Path) -> None:
    pointsman("backup", str(tmp_path / "backup"))
    new = CommandLine(tmp_path / "new")

    for to in ("9999", "2999-01-01T00:00:00Z"):
        assert (
            "[position_beyond_backup]"
            in new("restore", str(tmp_path / "backup"), "--to", to).stderr
        )


def test_a_data_directory_that_is_a_file_is_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")

    done = CommandLine(tmp_path / "file")("verify")

    assert done.returncode != ExitCode.OK
    assert "Traceback" not in done.stderr
    assert "[" in done.stderr
