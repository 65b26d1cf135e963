"""When an endpoint is left alone with a model that keeps failing on it, and tried again.

    closed -- 5 failures in a row, or more than half of the last 20 calls --> open for 60 s
    open -- 60 s --> half-open: exactly one call, the probe
    half-open -- the probe comes back --> closed; it fails --> open for another 60 s

One breaker per endpoint of a device and variant. Source: Nygard, "Release It!", 2nd ed., 2018,
"Circuit Breaker".
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Final
from uuid import UUID

IN_A_ROW: Final = 5
WINDOW: Final = 20
"""Calls that the share of failures is taken of; with fewer it says too little."""
OPEN_S: Final = 60.0

SUCCESS: Final = ""
"""Stands for the code of a call that came back well, and for it in the window."""

_OF_ENDPOINT: Final = "!"

ProbeKey = tuple[UUID, int]
"""Task and attempt."""


class Blame(StrEnum):
    """Whom a failure speaks of."""

    NOBODY = "nobody"
    """The caller, the executor or the load: it says nothing about endpoint and model."""
    PAYLOAD = "payload"
    """The model on this payload, or the model at all: it counts once for each payload, so that one
    bad input opens nothing however often it comes."""
    ENDPOINT = "endpoint"
    """The endpoint or the model, whatever the payload was: it always counts."""


# A code that does not stand here counts once per payload. Lost attempts never come here: a device
# that does not answer at all is suspended until a canary comes back, which is sooner than a probe.
BLAMED: Final[Mapping[str, Blame]] = MappingProxyType(
    {
        "engine_refused": Blame.ENDPOINT,
        "engine_cancelled": Blame.ENDPOINT,
        "model_not_found": Blame.ENDPOINT,
        "not_ready": Blame.ENDPOINT,
        "nothing_served": Blame.ENDPOINT,
        # The model broke off in the middle of an answer that it had begun.
        "stream_cut": Blame.ENDPOINT,
        # A model raises on what it was not made for, and always once it is broken.
        "model_error": Blame.PAYLOAD,
        "bad_output": Blame.PAYLOAD,
        # A payload that is too large for the memory is so each time.
        "out_of_memory": Blame.PAYLOAD,
        "run_timeout": Blame.PAYLOAD,
        "heartbeat_missed": Blame.PAYLOAD,
        # Refused before any work was done, and rightly.
        "invalid_input": Blame.NOBODY,
        "message_too_large": Blame.NOBODY,
        "result_too_large": Blame.NOBODY,
        # Full, which is the load's fault.
        "engine_busy": Blame.NOBODY,
        # Of the blob store and of the executor.
        "payload_missing": Blame.NOBODY,
        "payload_expired": Blame.NOBODY,
        "payload_corrupt": Blame.NOBODY,
        "blobs_unavailable": Blame.NOBODY,
        "executor_error": Blame.NOBODY,
    }
)


class Turn(StrEnum):
    """What has to be decided about a breaker."""

    OPEN = "open"
    CLOSE = "close"


@dataclass(slots=True)
class Breaker:
    """Changed by calls that were granted and that ended, and by what was decided about it."""

    window: deque[str] = field(default_factory=lambda: deque(maxlen=WINDOW))
    """The last calls that count since it was closed: `SUCCESS`, or whom the failure speaks of."""
    code: str = ""
    """Of the last failure that ever counted."""
    until: float | None = None
    """It is open until then, and half-open afterwards; None: closed."""
    probe: ProbeKey | None = None
    """The one call in flight while it is half-open."""
    turn: Turn | None = None
    """What has to be decided next."""

    def granted(self, key: ProbeKey) -> None:
        """A call was granted; it is the probe if the breaker is not closed."""
        if self.until is not None and self.probe is None:
            self.probe = key

    def ended(self, key: ProbeKey, code: str, payload: str) -> None:
        """A call ended with `code`, or `SUCCESS`; `payload` is the digest of its input."""
        if self.until is not None:
            self._ended_while_open(key, code)
        elif code == SUCCESS:
            self._count(SUCCESS)
        else:
            self._failed(code, payload)

    def lost(self, key: ProbeKey) -> None:
        """A call will not be reported; if it was the probe, there may be another one."""
        if key == self.probe:
            self.probe = None

    def opened(self, until: float) -> None:
        """It was decided that nothing is granted until then."""
        self.until, self.probe, self.turn = until, None, None
        self.window.clear()

    def closed(self) -> None:
        """It was decided that calls are granted again."""
        self.until = self.probe = self.turn = None
        self.window.clear()

    def refused(self, now: float, *, taken: int = 0) -> str | None:
        """Why no call can be granted, none if one can; `taken` were granted in this round."""
        if self.turn is Turn.OPEN:
            return "its breaker opens now"
        if self.until is None or self.turn is Turn.CLOSE:
            return None
        if now < self.until:
            return f"its breaker is open for another {self.until - now:.0f} s"
        if self.probe is not None or taken:
            return "its breaker waits for a probe"
        return None

    @property
    def failures(self) -> int:
        """Of the calls in the window."""
        return len(self.window) - self.window.count(SUCCESS)

    @property
    def in_a_row(self) -> int:
        """Failures since the last success, as far as the window goes."""
        count = 0
        for call in reversed(self.window):
            if call == SUCCESS:
                break
            count += 1
        return count

    def why(self) -> str:
        """What makes it open, in words."""
        if self.until is not None:
            return f"the probe has failed ({self.code})"
        if self.in_a_row >= IN_A_ROW:
            return f"{self.in_a_row} calls in a row have failed ({self.code})"
        return f"{self.failures} of the last {len(self.window)} calls have failed ({self.code})"

    def _failing(self) -> bool:
        return self.in_a_row >= IN_A_ROW or (
            len(self.window) == WINDOW and 2 * self.failures > WINDOW
        )

    def _failed(self, code: str, payload: str) -> None:
        blame = blame_of(code)
        if blame is Blame.ENDPOINT or (blame is Blame.PAYLOAD and payload not in self.window):
            self.code = code
            self._count(_OF_ENDPOINT if blame is Blame.ENDPOINT else payload)

    def _count(self, call: str) -> None:
        # A call that came back well may be the one that the window was short of.
        self.window.append(call)
        if self.code and self._failing():
            self.turn = Turn.OPEN

    def _ended_while_open(self, key: ProbeKey, code: str) -> None:
        # What was granted before it opened says nothing about now.
        if key != self.probe:
            return
        self.probe = None
        if code == SUCCESS:
            self.turn = Turn.CLOSE
        elif blame_of(code) is not Blame.NOBODY:
            self.code, self.turn = code, Turn.OPEN


def blame_of(code: str) -> Blame:
    """Whom a failure with this code speaks of."""
    return BLAMED.get(code, Blame.PAYLOAD)
