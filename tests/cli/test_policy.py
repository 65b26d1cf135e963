"""`pointsman policy`: what a pool decides with, and what a file would make of it."""

from pathlib import Path
from typing import Final

import pytest

from pointsman.cli.failures import ExitCode
from pointsman.policy.parameters import DEFAULTS
from tests.cli.command_line import CommandLine

FILE: Final = "hedge_share = 0.01\n[windows.standard]\ndue_s = 20\nfloor_s = 1\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "policy.toml"
    path.write_text(FILE)
    return path


def test_a_pool_that_was_set_to_nothing_decides_with_the_defaults(pointsman: CommandLine) -> None:
    rows = pointsman.json("policy", "show")

    assert {row["parameter"]: row["value"] for row in rows} == DEFAULTS.figures()
    assert {row["pool"] for row in rows} == {"main"}
    assert not any(row["differs"] for row in rows)


def test_a_file_is_checked_without_a_stack(tmp_path: Path, file: Path) -> None:
    rows = CommandLine(tmp_path / "nothing").json("policy", "check", str(file))

    differing = {row["parameter"]: row["value"] for row in rows if row["differs"]}
    assert differing == {"hedge_share": 0.01, "windows.standard.due_s": 20.0}
    assert len(rows) == len(DEFAULTS.figures())


@pytest.mark.parametrize(
    ("text", "code"),
    [("hedge_share = 0.5", "policy_value"), ("swap = 1", "policy_unknown_key")],
)
def test_a_file_that_a_scheduler_would_refuse_is_refused(
    tmp_path: Path, text: str, code: str
) -> None:
    path = tmp_path / "policy.toml"
    path.write_text(text)
    here = CommandLine(tmp_path / "nothing")

    checked = here("policy", "check", str(path))
    started = here("up", "--noop", "--data", str(tmp_path / "data"), "--policy", str(path))

    assert checked.returncode == started.returncode == ExitCode.FAILURE
    assert code in checked.stderr
    assert code in started.stderr
    assert not (tmp_path / "data").exists()


def test_a_pool_that_is_not_there_is_named(pointsman: CommandLine) -> None:
    done = pointsman("policy", "show", "--pool", "elsewhere")

    assert done.returncode == ExitCode.NOT_FOUND
    assert "[no_such_pool]" in done.stderr
