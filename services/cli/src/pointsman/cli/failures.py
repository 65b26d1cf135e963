"""How a command ends, and what it says when it could not do what was asked."""

from enum import IntEnum


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
