"""``./dev``: what a person types first."""

import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.source_tree import ROOT

TASKS = re.findall(
    r"^  ([a-z0-9-]+):\n    desc: ",
    (ROOT / "Taskfile.yml").read_text(encoding="utf-8"),
    re.MULTILINE,
)
PROBE = ROOT / "infra/bootstrap/probe.py"


def run(*command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env=os.environ | environment
    )


@pytest.fixture
def fresh_clone(tmp_path: Path) -> Path:
    """What ``./dev`` reads before anything is set up."""
    for name in ("dev", "Taskfile.yml", "pyproject.toml", "requirements.lock", "infra/bootstrap"):
        source, target = ROOT / name, tmp_path / name
        target.parent.mkdir(exist_ok=True)
        (shutil.copytree if source.is_dir() else shutil.copy)(source, target)
    return tmp_path


def test_every_task_says_what_it_does() -> None:
    names = re.findall(
        r"^  ([a-z0-9-]+):$", (ROOT / "Taskfile.yml").read_text(encoding="utf-8"), re.MULTILINE
    )

    assert names == TASKS
    assert {"check", "demo", "setup", "test", "up"} <= set(names)


def test_dev_alone_lists_the_tasks_of_a_fresh_clone_without_setting_up(fresh_clone: Path) -> None:
    listed = run(fresh_clone / "dev")

    assert listed.returncode == 0
    assert [line.split()[0] for line in listed.stdout.splitlines()] == TASKS
    assert not (fresh_clone / ".venv").exists()


def test_dev_alone_lists_the_tasks_once_it_is_set_up() -> None:
    listed = run(ROOT / "dev")

    assert listed.returncode == 0
    assert all(f"* {task}:" in listed.stdout for task in TASKS)


@pytest.mark.parametrize("program", ["", "#!/bin/sh\nexit 127\n"], ids=["missing", "shim"])
def test_an_interpreter_that_does_not_run_is_refused_with_what_to_do(
    fresh_clone: Path, program: str
) -> None:
    python = fresh_clone / "python3.12"
    if program:
        python.write_text(program, encoding="utf-8")
        python.chmod(0o755)

    refused = run(fresh_clone / "dev", "setup", POINTSMAN_PYTHON=str(python))

    assert refused.returncode == 1
    assert f"POINTSMAN_PYTHON={python} cannot be used" in refused.stderr
    assert "Point it to a Python 3.11 or 3.12" in refused.stderr


def test_a_package_index_that_is_away_is_named_with_what_to_do(fresh_clone: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    # Nobody listens there any more. Without further tries, so that pip gives up at once.
    failed = run(
        fresh_clone / "dev", "setup",
        POINTSMAN_PYTHON=sys.executable,
        PIP_INDEX_URL=f"http://127.0.0.1:{port}/simple",
        PIP_RETRIES="0",
        PIP_CONFIG_FILE=os.devnull,
    )  # fmt: skip

    assert failed.returncode == 1
    assert "uv could not be installed" in failed.stderr
    assert "The package index has to be reachable" in failed.stderr
    assert "PIP_INDEX_URL" in failed.stderr
    assert "run the command again" in failed.stderr
    assert not (fresh_clone / ".venv" / ".pointsman-setup").exists()


def test_the_probe_accepts_the_interpreter_of_this_environment() -> None:
    answer = run(sys.executable, PROBE, "interpreter")

    rank, path = answer.stdout.split()

    assert answer.returncode == 0
    assert rank in {"1", "2", "3"}
    assert Path(path) == Path(sys.executable).resolve()


def test_the_probe_says_what_triton_misses_exactly_when_it_ranks_the_interpreter_lower() -> None:
    rank = run(sys.executable, PROBE, "interpreter").stdout.split()[0]
    triton = run(sys.executable, PROBE, "triton")

    assert (triton.returncode == 0) is (rank == "3")
    assert (triton.stdout.strip() == "ok") is (rank == "3")
