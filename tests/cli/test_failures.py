"""What commands say of files that they cannot use: sentences, no numbers of the system."""

import errno
import os
from pathlib import Path

import pytest

from pointsman.cli.failures import CommandError, ExitCode, unreadable_input, why_not
from pointsman.cli.policy_files import read_policy_file
from tests.cli.command_line import CommandLine


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

    assert (missing.exit_code, denied.exit_code) == (ExitCode.NOT_FOUND, ExitCode.FAILURE)
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
    with pytest.raises(CommandError, match="it is a directory"):
        read_policy_file(tmp_path)
