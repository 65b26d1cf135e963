"""Whether every decision in the log of a run follows from the log before it."""

from itertools import islice
from typing import Final

from pointsman.eventstore.log_rows import LogRow
from pointsman.time_machine.replay.verification import Verification
from tests.chaos.log import LogPlace

_PAGE: Final = 2_000


def replay(log: LogPlace) -> Verification:
    """Every decision of the log, made again."""
    verification, events = Verification("main"), log.read()
    while page := list(islice(events, _PAGE)):
        rows: list[LogRow] = [
            (e.position, e.stream.hex, e.version, e.type, e.time_us, bytes(e.data)) for e in page
        ]
        verification.take(rows)
    verification.end()
    return verification


def decided_otherwise(verification: Verification) -> tuple[object, ...]:
    """Decisions that are made otherwise now, or could not be made again although they should."""
    late = verification.beyond_window
    return (
        *verification.differences,
        *(() if verification.stopped is None else (verification.stopped,)),
        *((f"{late} beyond the window",) if late else ()),
    )
