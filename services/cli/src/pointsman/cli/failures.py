"""How a command ends, and what it says when it could not do what was asked."""

import errno
from collections.abc import Mapping
from enum import IntEnum
from typing import Final

_REASONS: Final[Mapping[int, str]] = {
    errno.ENOENT: "there is no such file or directory",
    errno.EISDIR: "it is a directory",
    errno.ENOTDIR: "a part of its path is no directory",
    errno.EACCES: "this account may not use it",
    errno.EPERM: "this account may not use it",
    errno.EEXIST: "something else is there already",
    errno.ENOSPC: "the disk is full",
    errno.EROFS: "its file system may not be written to",
    errno.ENAMETOOLONG: "its name is too long",
}


class ExitCode(IntEnum):
    """Exit statuses; stable, for scripts."""

    OK = 0
    FAILURE = 1
    USAGE = 2
    NOT_FOUND = 3
    NOT_PERMITTED = 4
    CONFLICT = 5
    UNREACHABLE = 6
    TASK_FAILED = 7
    TIMEOUT = 8


class CommandError(Exception):
    """A command ends here; `code` is stable, `next_step` says what the reader can do."""

    def __init__(
        self, message: str, *, code: str, exit_code: ExitCode, next_step: str = ""
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.exit_code = exit_code
        self.next_step = next_step


class InvalidOptionError(CommandError):
    """The person must correct an option; the message says how.

    Without a next step that is the help of the command, which only its parser can name.
    """

    def __init__(self, message: str, next_step: str = "") -> None:
        super().__init__(
            message,
            code="invalid_option",
            exit_code=ExitCode.USAGE,
            next_step=next_step,
        )


def why_not(error: Exception, *, named: object = None) -> str:
    """What went wrong with a file, in words; `named` is the one that the sentence names already."""
    if not isinstance(error, OSError) or error.errno is None:
        return str(error)
    reason = _REASONS.get(error.errno) or (error.strerror or "it cannot be used").lower()
    other = error.filename is not None and str(error.filename) != str(named)
    return f"{error.filename}: {reason}" if other else reason


def file_status(error: BaseException) -> ExitCode:
    """The one exit status of a file that a person named and that cannot be used, by the reason.

    Missing: not found. A directory where a file is wanted, or the other way round: wrong usage.
    """
    match error:
        case FileNotFoundError():
            return ExitCode.NOT_FOUND
        case IsADirectoryError() | NotADirectoryError() | FileExistsError():
            return ExitCode.USAGE
        case PermissionError():
            return ExitCode.NOT_PERMITTED
        case _:
            return ExitCode.FAILURE


def unreadable_input(path: object, error: OSError) -> CommandError:
    """A file that a person named cannot be read."""
    return CommandError(
        f"{path} cannot be read: {why_not(error, named=path)}",
        code="input_unreadable",
        exit_code=file_status(error),
        next_step="name a file that you may read, or - for standard input",
    )
