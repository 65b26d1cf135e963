"""What a service refuses, and the exit status that says so."""

from typing import Final

import msgspec

from pointsman.cli.failures import CommandError, ExitCode

_CONFLICTS: Final = frozenset({"id_reused", "task_not_open"})
_MISSING: Final = frozenset(
    [
        *(
            f"no_such_{what}"
            for what in (
                "context",
                "conversation",
                "dead_letter",
                "device",
                "event",
                "pool",
                "project",
                "rating",
                "schedule",
                "task",
            )
        ),
        *(f"unknown_{what}" for what in ("dependency", "family", "model", "pool")),
    ]
)
"""Something that a command names is not there."""

_USAGE: Final = frozenset(
    {
        "boost_out_of_range",
        "cron_invalid",
        "cron_never_due",
        "deadline_before_start",
        "family_needed",
        "malformed_request",
        "task_or_warm_up",
        "too_far_ahead",
        "ttl_out_of_range",
        "unknown_timezone",
    }
)
"""A command says what could be done at no time, whatever the pool is like."""

REJECTED: Final = "rejected"
_UNAVAILABLE: Final = "unavailable"


class Refusal(msgspec.Struct):
    """The part of an answer that tells a refusal from a result."""

    status: str = ""
    code: str = ""
    message: str = ""
    next: str = ""


_decoder: Final = msgspec.json.Decoder(Refusal)


def refusal_in(body: bytes) -> Refusal | None:
    """The refusal that an answer is, None if it is a result; raises `msgspec.MsgspecError`."""
    if not body.startswith(b"{"):
        return None
    refusal = _decoder.decode(body)
    return refusal if refusal.status in {REJECTED, _UNAVAILABLE} else None


def rejected(code: str, message: str, next_step: str) -> CommandError:
    """A refusal of the scheduler, with the exit status that fits its code."""
    exit_code = ExitCode.FAILURE
    if code in _MISSING:
        exit_code = ExitCode.NOT_FOUND
    elif code in _CONFLICTS:
        exit_code = ExitCode.CONFLICT
    elif code in _USAGE:
        exit_code = ExitCode.USAGE
    return CommandError(message, code=code, exit_code=exit_code, next_step=next_step)
