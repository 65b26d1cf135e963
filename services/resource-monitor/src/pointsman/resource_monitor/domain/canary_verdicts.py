"""Whether a device still computes: bytes are compared, an answer alone proves nothing."""

import hashlib
from dataclasses import dataclass
from typing import Final

from pointsman.contracts.canaries import CanaryAnswer, CanaryFailed
from pointsman.contracts.events import CanaryChanged

IDENTITY: Final = "identity"
"""The variant that gives every payload back, so that fresh random bytes can be expected."""
FIXED_TEXT: Final = b"The points are set and the signal is green."
"""For variants whose answer nobody knows beforehand."""

# One lost call is a network's bad moment, two in a row are ten seconds of it.
FAILURES_TO_UNHEALTHY: Final = 2


@dataclass(frozen=True, slots=True)
class Verdict:
    """One canary that says something about its device."""

    variant: str
    right: bool
    detail: str
    expected_digest: str
    found_digest: str = ""
    seconds: float | None = None


def digest(data: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def compare(variant: str, expected: str, grounds: str, answer: CanaryAnswer) -> Verdict | None:
    """`expected` is a digest, `grounds` says where it is from; None: the device was busy."""
    if isinstance(answer, CanaryFailed):
        if answer.busy:
            return None
        return Verdict(variant, right=False, detail=_failure(answer), expected_digest=expected)
    found = digest(answer.output)
    right = found == expected
    detail = f"{len(answer.output)} bytes as expected" if right else "the bytes differ"
    return Verdict(variant, right, f"{detail} ({grounds})", expected, found, answer.run_s)


def failures_after(failures: int, verdict: Verdict) -> int:
    """Failures in a row."""
    return 0 if verdict.right else failures + 1


def change(
    device: str,
    verdict: Verdict,
    *,
    healthy: bool | None,
    failures: int,
    now: float,
    applied_to: int,
) -> CanaryChanged | None:
    """`healthy` is what the log says, None for nothing; `failures` include this verdict."""
    now_healthy = healthy
    if verdict.right:
        now_healthy = True
    elif failures >= FAILURES_TO_UNHEALTHY:
        now_healthy = False
    if now_healthy is None or now_healthy == healthy:
        return None
    return CanaryChanged(
        at=now,
        applied_to=applied_to,
        device=device,
        variant=verdict.variant,
        healthy=now_healthy,
        detail=verdict.detail,
        expected_digest=verdict.expected_digest,
        found_digest=verdict.found_digest,
        seconds=verdict.seconds,
    )


def _failure(answer: CanaryFailed) -> str:
    return f"{answer.code}: {answer.message}"
