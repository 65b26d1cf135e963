"""The command line inside of the test's process: starting Python for each command takes longer."""

import json
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from typer.testing import CliRunner

from pointsman.cli.app import app


@dataclass(frozen=True)
class Printed:
    returncode: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class Hand:
    """Runs commands against one data directory; synchronous, so not inside of an event loop."""

    data: Path

    def __call__(self, *words: str) -> Printed:
        done = CliRunner(env={"POINTSMAN_DATA": str(self.data)}).invoke(app, [*words])
        return Printed(done.exit_code, done.stdout, done.stderr)

    def json(self, *words: str) -> Any:  # noqa: ANN401 - whatever document the command prints
        done = self(*words, "-o", "json")
        assert done.returncode == 0, done
        return json.loads(done.stdout)


@contextmanager
def log_as_before() -> Generator[None]:
    """A command quietens the log of its process; afterwards it is as it was."""
    configured = structlog.get_config()
    try:
        yield
    finally:
        structlog.configure(**configured)
