"""What a service is to whoever runs it."""

import os
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest
from pydantic import SecretStr

from pointsman.eventstore import LogInUseError
from pointsman.eventstore.service import LogSettings, open_log
from pointsman.runtime.service import ServiceScope
from tests.support.log_events import some_events

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
    settings = LogSettings(data=tmp_path)
    await open_log(scope, settings)

    with pytest.raises(LogInUseError):
        await open_log(another, settings)
    await scope.close()

    assert await (await open_log(another, settings)).head() == 0
    await another.close()


async def test_a_log_in_a_database_is_shared_by_those_who_open_it(
    tmp_path: Path, database: str
) -> None:
    scope = ServiceScope("both")
    settings = LogSettings(data=tmp_path, database_url=SecretStr(database))
    one, another = await open_log(scope, settings), await open_log(scope, settings)

    await one.append(some_events(uuid4(), [1]))

    assert await another.head() == 1
    assert not (tmp_path / "log.db").exists()
    await scope.close()


async def test_the_password_of_a_database_is_not_shown() -> None:
    settings = LogSettings(database_url=SecretStr("postgresql://me:secret@there/log"))

    assert "secret" not in repr(settings)
