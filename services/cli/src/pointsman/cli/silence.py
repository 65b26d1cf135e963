"""Why nobody answered, and the exit status that says so."""

from enum import StrEnum
from typing import Final

from pointsman.cli.failures import ExitCode


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
