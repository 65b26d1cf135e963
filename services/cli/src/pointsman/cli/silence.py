"""Why nobody answered, and the exit status that says so."""

from enum import StrEnum
from typing import Final, NamedTuple

from pointsman.cli.failures import CommandError, ExitCode
from pointsman.runtime.packing_errors import NoAnswerError


class Silence(StrEnum):
    """Why there is no answer after all patience; also the error's code."""

    UNREACHABLE = "unreachable"
    TIMEOUT = "timeout"
    UNAVAILABLE = "unavailable"


EXIT_CODES: Final = {
    Silence.UNREACHABLE: ExitCode.UNREACHABLE,
    Silence.TIMEOUT: ExitCode.TIMEOUT,
    Silence.UNAVAILABLE: ExitCode.FAILURE,
}


def silence_of(last: str) -> Silence:
    """From the words in which a packed request tells its last try."""
    if "no responders" in last or "disconnected" in last:
        return Silence.UNREACHABLE
    return Silence.UNAVAILABLE if last.startswith("unavailable") else Silence.TIMEOUT


class LastTry(NamedTuple):
    """What came of the last try; `code` and `next_step` are the service's own, if it gave any."""

    words: str
    silence: Silence
    code: str = ""
    next_step: str = ""


def last_try(error: NoAnswerError) -> LastTry:
    """Of a packed request."""
    told = error.unavailable
    if told is not None and told.code:
        return LastTry(told.message, Silence.UNAVAILABLE, told.code, told.next)
    return LastTry(error.last, silence_of(error.last))


def no_answer(subject: str, last: LastTry, *, patience_s: float, log: str) -> CommandError:
    """For the reader of a command; `log` is the file in which the service may have said more."""
    exit_code = EXIT_CODES[last.silence]
    if last.code:
        return CommandError(
            last.words, code=last.code, exit_code=exit_code, next_step=last.next_step
        )
    return CommandError(
        f"no answer on {subject} within {patience_s:g} s ({last.words})",
        code=last.silence.value,
        exit_code=exit_code,
        next_step=f"look into {log}, or run pointsman doctor",
    )
