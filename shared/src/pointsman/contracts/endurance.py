"""What a holder tells of a long run before its end.

`pm.cmd.scheduler.<pool>.checkpoint` carries a list of `CheckpointReport`, answered by a list of
`ReportAnswer` after the commit; a holder repeats one until it is answered or has a newer one.
`AttemptProgress` travels in every `leases.Renewal` and is never recorded.
"""

from typing import Final
from uuid import UUID

from pointsman.contracts.message import BlobRef, Message

CHECKPOINT_EVERY_S: Final = 1.0
"""At most one checkpoint of a task is recorded in this time: each is an event and a blob."""

HEARTBEAT_PARAMETER: Final = "heartbeat_s"
"""Request parameter: a run that gives no sign of life for so many seconds has timed out."""

HEARTBEAT_MISSED: Final = "heartbeat_missed"
"""Code of a run that was given up because no sign of life came in time."""


class AttemptProgress(Message, frozen=True):
    """How far a running attempt has come, as its model says; telemetry."""

    task: UUID
    attempt: int
    progress: float | None = None
    """0 to 1; None: the model has only said that it lives."""
    note: str = ""
    parts: int = 0
    """Signs of life so far."""
    silent_s: float = 0.0
    """Since the last of them."""


class CheckpointReport(Message, frozen=True):
    """Where a running attempt stands; its bytes are stored already."""

    executor: str
    incarnation: str
    device: str
    task: UUID
    attempt: int
    sequence: int
    checkpoint: BlobRef
    progress: float | None = None
