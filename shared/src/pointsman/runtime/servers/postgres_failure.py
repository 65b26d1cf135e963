"""What PostgreSQL's last words say about why it does not run."""

from pathlib import Path
from typing import Final

from pointsman.runtime.servers.errors import ServerStartError

PORT_TAKEN: Final = "postgres_port_taken"
IN_USE: Final = "postgres_data_in_use"
DISK_FULL: Final = "postgres_disk_full"
UNKNOWN: Final = "postgres_start_failed"

_CAUSES: Final = (
    ("No space left on device", DISK_FULL),
    ("Address already in use", PORT_TAKEN),
    ('lock file "postmaster.pid" already exists', IN_USE),
    ("pre-existing shared memory block", IN_USE),
)

_NEXT_STEP: Final = {
    PORT_TAKEN: "Stop the program that listens there, or let another port be chosen.",
    IN_USE: "Stop the PostgreSQL that runs on this directory, or choose another directory.",
    DISK_FULL: "Free space on the disk of this directory; the next start goes on by itself.",
}


def cause_of(log_tail: str) -> str:
    """The code of what a server or ``initdb`` ended with, by what it wrote in English."""
    return next((code for words, code in _CAUSES if words in log_tail), UNKNOWN)


def start_error(message: str, log: Path, log_tail: str) -> ServerStartError:
    """The error with the code of its cause."""
    code = cause_of(log_tail)
    next_step = _NEXT_STEP.get(code, f"Read {log}, repair what it names and start again.")
    return ServerStartError(message, code=code, next_step=next_step, log_tail=log_tail)
