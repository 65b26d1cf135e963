"""What keeps a stack from starting: what it is, a code, the next step, and exit status 1."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import msgspec
import pytest

from pointsman.cli.failures import ExitCode
from pointsman.eventstore import Append, SqliteEventStore
from pointsman.testing.servers import PROJECT
from tests.cli.command_line import environment
from tests.support.task_events import accepted, stream_of


class Installation:
    """Another interpreter of this environment, with nothing beside it unless it is put there."""

    def __init__(self, root: Path) -> None:
        self.bin = root / "bin"
        self.bin.mkdir(parents=True)
        (self.bin / "python").symlink_to(sys.executable)
        (root / "lib").symlink_to(Path(sys.prefix) / "lib")
        shutil.copy(Path(sys.prefix) / "pyvenv.cfg", root)
        self._up = (self.bin / "python", "-m", "pointsman.cli", "up", "-o", "json")

    def put(self, name: str, script: str) -> None:
        path = self.bin / name
        path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        path.chmod(0o755)

    def up(self, data: Path, *options: str, **variables: str) -> dict[str, Any]:
        """How a `pointsman up` that does not get up says why."""
        done = subprocess.run(
            [*self._up, "--data", data, *options],
            env={**environment(), "PATH": os.defpath, **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == ExitCode.FAILURE, done.stderr
        assert "Traceback" not in done.stderr
        assert not (data / "stack.json").exists()
        return cast("dict[str, Any]", json.loads(done.stdout)["error"])


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    return Installation(tmp_path / "installation")


@pytest.fixture
def complete(installation: Installation) -> Installation:
    """With the nats-server of this environment."""
    (installation.bin / "nats-server").symlink_to(Path(sys.executable).parent / "nats-server")
    return installation


def test_a_missing_nats_server(installation: Installation, tmp_path: Path) -> None:
    error = installation.up(tmp_path / "data", "--noop")

    assert error["code"] == "nats_server_missing"
    assert str(installation.bin) in error["message"]
    assert "./dev setup" in error["next"]


def test_a_nats_server_that_is_too_old(installation: Installation, tmp_path: Path) -> None:
    installation.put("nats-server", "echo 'nats-server: v2.9.10'")

    error = installation.up(tmp_path / "data", "--noop")

    assert error["code"] == "nats_too_old"
    assert "v2.9.10" in error["message"]
    assert "2.14" in error["next"]


def test_a_triton_that_cannot_run_here(complete: Installation, tmp_path: Path) -> None:
    home = tmp_path / "home"
    shutil.copytree(PROJECT / "infra" / "triton", home / "infra" / "triton")

    error = complete.up(tmp_path / "data", POINTSMAN_HOME=str(home))

    assert error["code"] == "triton_unsupported"
    assert "There is no Triton environment" in error["message"]
    assert "./dev setup" in error["message"]


async def test_a_log_that_a_newer_release_has_written(
    complete: Installation, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    events = stream_of(uuid4(), [accepted()])
    async with SqliteEventStore(data / "log.db") as store:
        await store.append(
            Append([msgspec.structs.replace(each, topic="task.accepted.v2") for each in events])
        )

    error = complete.up(data, "--noop")

    assert error["code"] == "newer_event"
    assert "task.accepted.v2 at position 1" in error["message"]
    assert "Upgrade Pointsman" in error["next"]
