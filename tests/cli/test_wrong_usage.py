"""What the parser refuses has a code and a next step, like every refusal."""

import json
from pathlib import Path
from uuid import uuid4

import pytest

from pointsman.cli.failures import ExitCode
from pointsman.cli.output import OutputFormat
from pointsman.cli.wrong_usage import asked_output
from tests.cli.in_process import Hand


@pytest.fixture
def pointsman(tmp_path: Path) -> Hand:
    return Hand(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("words", "said", "command"),
    [
        (("task", "get", "nonsense"), "invalid value for 'ID'", "task get"),
        (("task", "get"), "missing argument 'ID'", "task get"),
        (("task", "hold", str(uuid4())), "missing option '--reason'", "task hold"),
        (("task", "ls", "--limit", "0"), "it must be greater than or equal to 1", "task ls"),
        (("task", "ls", "--bogus"), "no such option: --bogus", "task ls"),
        (("task", "ls", "-o", "yaml"), "'yaml' is not one of 'table'", "task ls"),
        (("events", "get", "1", "2", "3"), "too many arguments: 2 3", "events get"),
        (("pause", "bogus", "x"), "'bogus' is not one of 'model'", "pause"),
        (("up", "--noop", "--triton", "grpc://a:1"), "--noop and --triton exclude", "up"),
        (("up", "--tenant", "A b"), "'A b' is no tenant", "up"),
        (("task", "submit", "summarize"), "give the input once: as TEXT", "task submit"),
        (("task", "nosuch"), "no such command 'nosuch'", "task"),
    ],
)
def test_it_is_said_with_a_code_and_the_help_to_read(
    pointsman: Hand, words: tuple[str, ...], said: str, command: str
) -> None:
    done = pointsman(*words)

    assert done.returncode == ExitCode.USAGE
    assert done.stdout == ""
    first, following = done.stderr.splitlines()
    assert first.startswith("error: ")
    assert first.endswith(" [invalid_option]")
    assert said in first
    assert following.strip() == f"see pointsman {command} --help"


def test_programs_get_an_envelope_wherever_the_format_stands(pointsman: Hand) -> None:
    before = pointsman("task", "ls", "-o", "json", "--limit", "0")
    behind = pointsman("task", "ls", "--limit", "0", "--output=jsonl")

    assert before.returncode == behind.returncode == ExitCode.USAGE
    assert json.loads(before.stdout) == json.loads(behind.stdout)
    assert json.loads(before.stdout)["error"]["code"] == "invalid_option"


def test_options_that_exclude_each_other_are_an_envelope_too(pointsman: Hand) -> None:
    done = pointsman("task", "get", str(uuid4()), "--result", "-", "-o", "json")

    assert done.returncode == ExitCode.USAGE
    assert json.loads(done.stdout)["error"] == {
        "code": "invalid_option",
        "message": "--result - prints nothing but the result; leave -o away",
        "next": "see pointsman task get --help",
    }


def test_a_command_without_words_shows_its_help(pointsman: Hand) -> None:
    done = pointsman("task")

    assert done.returncode == ExitCode.USAGE
    assert done.stderr.startswith("Usage: ")
    assert "[invalid_option]" not in done.stderr


def test_help_and_version_end_well(pointsman: Hand) -> None:
    assert pointsman("--version").returncode == pointsman("task", "--help").returncode == 0


@pytest.mark.parametrize(
    ("words", "output"),
    [
        (("-o", "json"), OutputFormat.JSON),
        (("task", "-ojsonl"), OutputFormat.JSONL),
        (("--output", "json", "x"), OutputFormat.JSON),
        (("--output=json",), OutputFormat.JSON),
        (("-o", "yaml"), OutputFormat.TABLE),
        (("-o",), OutputFormat.TABLE),
        ((), OutputFormat.TABLE),
    ],
)
def test_the_format_is_told_without_parsing(words: tuple[str, ...], output: OutputFormat) -> None:
    assert asked_output(words) is output
