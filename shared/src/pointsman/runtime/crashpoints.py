"""Named places at which a test may end this process as `kill -9` does: exact, not lucky.

Nothing happens at them unless the environment of the process names one and says, in a setting of
its own, that crash points count. `tests/e2e/test_crash_points.py` kills a process at each.
"""

import os
import signal
from enum import StrEnum
from typing import Final

import structlog

from pointsman.runtime.errors import FatalError

_log = structlog.get_logger(__name__)


class CrashPoint(StrEnum):
    """The steps of a task's life, each with the moment before it and the one after it.

    Around an append, *before* means that it was not handed to the log, *after* that its answer has
    come and nothing was done about it.
    """

    BEFORE_INBOX_RECEIVE = "before_inbox_receive"
    AFTER_INBOX_RECEIVE = "after_inbox_receive"
    BEFORE_APPEND_ACCEPTED = "before_append_accepted"
    AFTER_APPEND_ACCEPTED = "after_append_accepted"
    BEFORE_INBOX_ACK = "before_inbox_ack"
    AFTER_INBOX_ACK = "after_inbox_ack"
    BEFORE_APPEND_GRANTED = "before_append_granted"
    AFTER_APPEND_GRANTED = "after_append_granted"
    BEFORE_GRANT_SENT = "before_grant_sent"
    AFTER_GRANT_SENT = "after_grant_sent"
    """Its receipt is here."""
    BEFORE_RECEIPT = "before_receipt"
    """The executor has the order and has taken nothing of it."""
    AFTER_RECEIPT = "after_receipt"
    """What was granted is about to run; the receipt is not sent."""
    BEFORE_ENGINE_CALL = "before_engine_call"
    AFTER_ENGINE_CALL = "after_engine_call"
    BEFORE_RESULT_STORED = "before_result_stored"
    AFTER_RESULT_STORED = "after_result_stored"
    BEFORE_REPORT_SENT = "before_report_sent"
    AFTER_REPORT_SENT = "after_report_sent"
    """The leader has answered it."""
    BEFORE_APPEND_COMPLETED = "before_append_completed"
    AFTER_APPEND_COMPLETED = "after_append_completed"
    BEFORE_RELAY_PUBLISH = "before_relay_publish"
    AFTER_RELAY_PUBLISH = "after_relay_publish"
    """The server has confirmed a message, and the relay has not noted it."""


class UnknownCrashPointError(FatalError):
    """`POINTSMAN_CRASH_AT` names no crash point."""

    code = "unknown_crash_point"

    def __init__(self, asked: str) -> None:
        super().__init__(
            f"POINTSMAN_CRASH_AT={asked!r} is not <point>:<hit> with a hit from 1 on.",
            next_step=f"Name one of {', '.join(CrashPoint)}, or unset it.",
        )


class _Trap:
    """The one point of this process that counts, and how often it may still be passed."""

    def __init__(self) -> None:
        self.point: CrashPoint | None = None
        self.hits_left = 0

    def spring(self) -> None:
        self.hits_left -= 1
        if self.hits_left == 0:
            _log.critical("crash_point", point=self.point)
            os.kill(os.getpid(), signal.SIGKILL)


# Of the process, because that is what ends; handing it to every part would cost each of them a
# parameter that nothing but a test of the whole system uses.
_trap: Final = _Trap()


def crashpoint(point: CrashPoint) -> None:
    """End this process here if it was armed with this point and this is the hit; else nothing."""
    if point is _trap.point:
        _trap.spring()


def arm(crash_at: str, *, allowed: bool) -> None:
    """Arm `<point>:<hit>`, and say so loudly; not `allowed`, it only warns.

    An empty `crash_at` disarms. Raises `UnknownCrashPointError`.
    """
    _trap.point = None
    if not crash_at:
        return
    point, hit = _read(crash_at)
    if not allowed:
        _log.warning("crash_point_ignored", crash_at=crash_at, needs="POINTSMAN_CRASHPOINTS=1")
        return
    _trap.point, _trap.hits_left = point, hit
    _log.critical("crash_point_armed", point=point, hit=hit, meaning="this process will die")


def _read(crash_at: str) -> tuple[CrashPoint, int]:
    name, _, hit = crash_at.partition(":")
    try:
        point, number = CrashPoint(name), int(hit)
    except ValueError:
        raise UnknownCrashPointError(crash_at) from None
    if number < 1:
        raise UnknownCrashPointError(crash_at)
    return point, number
