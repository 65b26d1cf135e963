"""What commands say of files that they cannot use: sentences, no numbers of the system."""

import errno
import os
from pathlib import Path

import pytest

from pointsman.cli.failures import (
    CommandError,
    ExitCode,
    file_status,
    unreadable_input,
    why_not,
)
from pointsman.cli.policy_files import read_policy_file
from tests.cli.command_line import CommandLine, RunningUp
from tests.cli.in_process import Hand, log_as_before


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOENT, "there is no such file or directory"),
        (errno.EACCES, "this account may not use it"),
        (errno.ENOSPC, "the disk is full"),
        (errno.EXDEV, "invalid cross-device link"),
    ],
)
def test_a_number_of_the_system_is_a_sentence(number: int, said: str) -> None:
    error = OSError(number, os.strerror(number), "/data/log.db")

    assert why_not(error) == f"/data/log.db: {said}"
    assert why_not(error, named=Path("/data/log.db")) == said
    assert why_not(OSError(number, os.strerror(number))) == said


def test_what_has_no_number_says_it_itself() -> None:
    assert why_not(ValueError("it is damaged")) == "it is damaged"
    assert why_not(OSError("it is damaged")) == "it is damaged"


def test_an_input_that_is_not_there_is_not_found() -> None:
    missing = unreadable_input("a.txt", FileNotFoundError(errno.ENOENT, "No such file", "a.txt"))
    denied = unreadable_input("a.txt", PermissionError(errno.EACCES, "Permission denied"))

    assert (missing.exit_code, denied.exit_code) == (ExitCode.NOT_FOUND, ExitCode.NOT_PERMITTED)
    assert missing.message == "a.txt cannot be read: there is no such file or directory"
    assert missing.next_step


def test_a_policy_that_is_not_there_says_so_without_a_number(
    pointsman: CommandLine, tmp_path: Path
) -> None:
    absent = tmp_path / "absent.toml"

    done = pointsman("policy", "check", str(absent))

    assert done.returncode == ExitCode.NOT_FOUND
    assert f"policy file {absent} cannot be read: there is no such file" in done.stderr
    assert "Errno" not in done.stderr


def test_a_directory_is_no_policy(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="it is a directory") as caught:
        read_policy_file(tmp_path)

    assert caught.value.exit_code is ExitCode.USAGE


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (FileNotFoundError(), ExitCode.NOT_FOUND),
        (IsADirectoryError(), ExitCode.USAGE),
        (NotADirectoryError(), ExitCode.USAGE),
        (FileExistsError(), ExitCode.USAGE),
        (PermissionError(), ExitCode.NOT_PERMITTED),
        (OSError(errno.ENOSPC, "no space"), ExitCode.FAILURE),
        (ValueError("what it holds is wrong"), ExitCode.FAILURE),
    ],
)
def test_a_file_has_one_exit_status_whatever_command_names_it(
    error: Exception, status: ExitCode
) -> None:
    assert file_status(error) is status


OF_A_FILE = (
    ("task", "submit", "summarize", "--file", "{}"),
    ("task", "submit-many", "{}"),
    ("schedule", "set", "s", "--cron", "0 * * * *", "--family", "summarize", "--file", "{}"),
    ("route", "--file", "{}"),
    ("policy", "check", "{}"),
    ("up", "--noop", "--policy", "{}"),
    ("whatif", "--policy", "{}", "--log", "{log}"),
    ("simulate", "--trace", "{trace}", "--policy", "{}"),
    ("simulate", "--trace", "{}"),
    ("simulate", "convert", "{}", "--from", "azure", "--out", "{out}"),
    ("simulate", "generate", "--tasks", "9", "--out", "{}/there"),
)


@pytest.mark.parametrize("words", OF_A_FILE, ids=" ".join)
def test_a_file_that_is_missing_and_a_directory_have_the_same_status_everywhere(
    stack: RunningUp, tmp_path: Path, words: tuple[str, ...]
) -> None:
    # A command that starts a stack gets no further than its policy.
    data = tmp_path / "new" if words[0] == "up" else stack.data
    hand, directory, trace = Hand(data), tmp_path / "directory", tmp_path / "trace.csv"
    directory.mkdir()
    trace.write_text("arrival_s,model,service_s\n0,a,1\n")
    fixed = {"trace": trace, "log": stack.data, "out": tmp_path / "out.csv"}

    def typed(path: Path) -> list[str]:
        return [word.format(path, **fixed) for word in words]

    with log_as_before():
        missing = hand(*typed(tmp_path / "missing"))
        instead = hand(*(word.removesuffix("/there") for word in typed(directory)))

    assert (missing.returncode, instead.returncode) == (ExitCode.NOT_FOUND, ExitCode.USAGE)
    assert "a directory" in instead.stderr
    assert "Traceback" not in missing.stderr + instead.stderr


def test_a_file_is_no_data_directory_for_any_command(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")

    with log_as_before():
        done = [
            Hand(file)(*words)
            for words in (
                ("task", "ls"),
                ("verify",),
                ("state",),
                ("backup", str(tmp_path / "copy")),
                ("log", "archive", "--before", "3"),
                ("up", "--noop"),
            )
        ]
        doctor = Hand(file)("doctor")

    assert {each.returncode for each in done} == {ExitCode.USAGE}
    assert all("error: " in each.stderr for each in done)
    assert f"{file} is no directory" in doctor.stdout
