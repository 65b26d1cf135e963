"""What a service is to whoever runs it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pointsman.eventstore import LogInUseError
from pointsman.eventstore.service import open_log
from pointsman.runtime.service import ServiceScope

ROOT = Path(__file__).parents[2]


def test_a_service_that_runs_alone_has_a_log_of_its_own(tmp_path: Path) -> None:
    data = tmp_path / "deep" / "data"
    settings = {"POINTSMAN_DATA": str(data), "POINTSMAN_GREETING": "good day"}

    runs = [
        subprocess.run(
            [sys.executable, "-m", "tests.eventstore.greeter"],
            cwd=ROOT,
            env=os.environ | settings,
            capture_output=True,
            text=True,
            check=True,
        )
        for _ in range(2)
    ]

    assert [run.stdout for run in runs] == ["greeter: good day 3\n", "greeter: good day 6\n"]
    assert data.stat().st_mode & 0o777 == 0o700


async def test_a_log_is_closed_with_the_scope_that_opened_it(tmp_path: Path) -> None:
    scope, another = ServiceScope("one"), ServiceScope("another")
    open_log(scope, tmp_path)

    with pytest.raises(LogInUseError):
        open_log(another, tmp_path)
    await scope.close()

    assert await open_log(another, tmp_path).head() == 0
    await another.close()
