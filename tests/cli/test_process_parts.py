"""What the processes of `up --processes` are called and what each of them is told."""

import json
import subprocess
from pathlib import Path

import pytest

from pointsman.cli.failures import ExitCode
from pointsman.cli.stack.accounts import SCHEDULER, WATCHERS, new_accounts
from pointsman.cli.stack.children import executor_environment, service_environment
from pointsman.cli.stack.data_directory import DataDirectory
from pointsman.cli.stack.log_place import OWN_POSTGRESQL
from pointsman.cli.stack.plan import EXECUTOR, STANDBY, StackPlan
from pointsman.cli.stack.project import find_project
from tests.cli.command_line import POINTSMAN, environment

DATABASE = "postgresql://pointsman:never-to-be-shown@127.0.0.1:1/log"
NATS = "nats://127.0.0.1:4222"


def plan(data: Path, *, standby: bool = True) -> StackPlan:
    return StackPlan(data, find_project(), noop=True, processes=True, standby=standby)


def told(data: Path, part: str) -> dict[str, str]:
    directory = DataDirectory(data, OWN_POSTGRESQL)
    try:
        accounts = new_accounts([EXECUTOR], [])
        return service_environment(
            plan(data), directory, accounts, NATS, (), part=part, database_url=DATABASE
        )
    finally:
        directory.release()


def test_parts_are_called_after_their_services_and_the_standby_starts_behind_the_first(
    tmp_path: Path,
) -> None:
    alone = plan(tmp_path, standby=False).service_parts
    both = plan(tmp_path).service_parts

    assert list(alone) == [SCHEDULER, *WATCHERS]
    assert list(both) == [SCHEDULER, STANDBY, *WATCHERS]
    assert both[STANDBY] == SCHEDULER


@pytest.mark.parametrize("part", [SCHEDULER, STANDBY, *WATCHERS])
def test_a_service_gets_its_own_login_and_where_the_log_is(tmp_path: Path, part: str) -> None:
    variables = told(tmp_path, part)

    assert variables["POINTSMAN_NATS_USER"] == plan(tmp_path).service_parts[part]
    assert variables["POINTSMAN_DATABASE_URL"] == DATABASE
    assert "POINTSMAN_TOGETHER_PASSWORDS" not in variables


def test_the_executor_is_told_nothing_that_opens_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POINTSMAN_DATABASE_URL", DATABASE)
    monkeypatch.setenv("PGPASSWORD", "never-to-be-shown")
    directory = DataDirectory(tmp_path, OWN_POSTGRESQL)
    account = new_accounts([EXECUTOR], [])[EXECUTOR]

    variables = executor_environment(plan(tmp_path), directory, account, NATS, ())
    directory.release()

    assert not [value for value in variables.values() if "never-to-be-shown" in value]


def test_a_database_that_does_not_answer_ends_the_start_and_marks_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [*POINTSMAN, "up", "--processes", "--noop", "--data", str(tmp_path), "-o", "json"],
        env={**environment(), "POINTSMAN_DATABASE_URL": DATABASE},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    error = json.loads(done.stdout)["error"]
    assert done.returncode == ExitCode.UNREACHABLE
    assert error["code"] == "database_unreachable"
    assert "127.0.0.1:1/log" in error["message"]
    assert "never-to-be-shown" not in done.stdout + done.stderr
    assert not (tmp_path / "layout.json").exists()
    assert list((tmp_path / "logs").iterdir()) == []
