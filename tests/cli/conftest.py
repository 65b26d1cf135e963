"""One stack with the stand-in engine for all tests that only talk to it."""

from collections.abc import Iterator

import pytest

from tests.cli.command_line import CommandLine, RunningUp, running_up


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningUp]:
    data = tmp_path_factory.mktemp("stack") / "data"
    with running_up(data, "--tenant", "acme", "--tenant", "globex") as up:
        yield up


@pytest.fixture
def pointsman(stack: RunningUp) -> CommandLine:
    return CommandLine(stack.data)
