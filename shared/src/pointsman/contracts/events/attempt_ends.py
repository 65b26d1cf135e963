"""Events of attempts that ended without a result; in the stream of their task."""

from typing import Final

from pointsman.contracts.events.tasks import Decision


class AttemptFailed(Decision, frozen=True):
    """The engine answered with an error; `retry_at` is when the next attempt may start."""

    attempt: int
    device: str
    code: str
    message: str
    retry_at: float
    draw: float = 0.0
    """Uniform in [0, 1): the jitter that was used."""


class AttemptTimedOut(Decision, frozen=True):
    """The run deadline passed while the engine worked."""

    attempt: int
    device: str
    run_timeout_s: float
    retry_at: float
    draw: float = 0.0
    code: str = ""
    """Empty: the whole time was over; `heartbeat_missed`: no sign of life came in time."""
    run_s: float = 0.0
    """How long it had run; 0: for the whole time."""


EXECUTOR_REPLACED: Final = "executor_replaced"
"""Another incarnation of the holder came, or another executor brought its device."""

LEASE_EXPIRED: Final = "lease_expired"
"""The holder did not renew for a lease's life."""

DEVICE_UNAVAILABLE: Final = "device_unavailable"
"""The device stopped answering."""

EXECUTOR_CANCELLED: Final = "executor_cancelled"
"""The holder stopped the call by itself, so that its slot is free at once."""

BATCH_FAILED: Final = "batch_failed"
"""The call failed for all who shared it. Whose input was the cause is not known, so that nobody has
failed: each runs alone next. The call has ended, so that its slot is free."""

DEADLINE_EXCEEDED: Final = "deadline_exceeded"
"""Code of a call that had not ended when its time was over."""

MODEL_NOT_FOUND: Final = "model_not_found"
"""Code of a call to a variant that is not loaded; it may be elsewhere."""

OUT_OF_MEMORY: Final = "out_of_memory"
"""Code of a load or a call: there is no room for it at this moment."""

RUN_TIMEOUT: Final = "run_timeout"
"""What an attempt counts as whose whole time was over."""


class AttemptLost(Decision, frozen=True):
    """The holder or the device went away; nobody will report this attempt."""

    attempt: int
    device: str
    reason: str
    """`executor_replaced`, `lease_expired`, `device_unavailable`, `EXECUTOR_CANCELLED` or
    `BATCH_FAILED`."""
    code: str = ""
    """What a shared call failed with."""
    only: bool = False
    """The device stopped answering while nothing else was in flight on it."""
