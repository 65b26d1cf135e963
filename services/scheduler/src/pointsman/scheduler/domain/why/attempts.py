"""Ends of attempts that gave no result, in sentences."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from pointsman.contracts import events
from pointsman.contracts.events import Decision
from pointsman.contracts.events.attempt_ends import (
    BATCH_FAILED,
    DEVICE_UNAVAILABLE,
    EXECUTOR_CANCELLED,
    EXECUTOR_REPLACED,
    LEASE_EXPIRED,
)
from pointsman.scheduler.domain.why.words import clock, span


def way_back(event: Decision) -> list[str]:
    """What the end of an attempt means for a task that goes on."""
    match event:
        case events.AttemptLost(reason=reason):
            alone = "; it shares no call any more" if reason == BATCH_FAILED else ""
            return [f"The task went back to its place in the queue{alone}."]
        case events.AttemptFailed() | events.AttemptTimedOut():
            pause = max(0.0, event.retry_at - event.at)
            return [f"The next attempt may start after {span(pause)}."]
        case _:
            return []


def _failed(event: events.AttemptFailed) -> list[str]:
    return [
        (
            f"{clock(event.at)}: attempt {event.attempt} failed on {event.device}: "
            f"{event.message} ({event.code})."
        )
    ]


def _timed_out(event: events.AttemptTimedOut) -> list[str]:
    if event.code:
        return [
            (
                f"{clock(event.at)}: attempt {event.attempt} on {event.device} was given up after "
                f"{span(event.run_s)}: no sign of life came in time ({event.code})."
            )
        ]
    return [
        (
            f"{clock(event.at)}: attempt {event.attempt} gave no answer on {event.device} within "
            f"{span(event.run_timeout_s)}."
        )
    ]


_LOST = {
    EXECUTOR_REPLACED: "its executor was restarted",
    LEASE_EXPIRED: "its executor stopped renewing the lease",
    DEVICE_UNAVAILABLE: "the device stopped answering",
    EXECUTOR_CANCELLED: "its executor gave the run up",
    BATCH_FAILED: "the call that it shared with others failed",
}


def _lost(event: events.AttemptLost) -> list[str]:
    reason = _LOST.get(event.reason, event.reason) + (f" ({event.code})" if event.code else "")
    reason += " while it ran nothing else" if event.only else ""
    return [
        (f"{clock(event.at)}: attempt {event.attempt} on {event.device} was lost because {reason}.")
    ]


# Each entry takes the event type that it stands under.
ATTEMPT_TELLERS: Final[Mapping[type[Decision], Callable[..., list[str]]]] = MappingProxyType(
    {
        events.AttemptFailed: _failed,
        events.AttemptTimedOut: _timed_out,
        events.AttemptLost: _lost,
    }
)
