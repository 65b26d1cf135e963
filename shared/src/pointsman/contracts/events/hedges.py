"""Events of second attempts beside ones that take long; decided by the pool's leader."""

from enum import StrEnum

from pointsman.contracts.events.tasks import Decision, Explanation


class TaskHedged(Decision, frozen=True):
    """A second attempt holds a lease beside a live one; the first result of either counts."""

    attempt: int
    beside: int
    """The attempt that takes long."""
    executor: str
    incarnation: str
    device: str
    variant: str
    run_timeout_s: float
    """As in `TaskGranted`."""
    waited_s: float
    """How long the other had its lease."""
    usual_s: float
    """After so long 95 % of the last runs of the variant had been reported."""
    runs: int
    """Runs that this stands on."""
    allowance: float
    """Hedges that the pool had to give, this one among them; each accepted task earns a share."""
    explanation: Explanation
    samples: tuple[str, ...] = ()
    """Ids of the device samples that were used."""


class AttemptEnd(StrEnum):
    """How an attempt ended without a result."""

    FAILED = "failed"
    TIMED_OUT = "timed_out"
    LOST = "lost"


class AttemptDropped(Decision, frozen=True):
    """One of two attempts ended without a result; the task goes on with the other."""

    attempt: int
    device: str
    goes_on: int
    """The attempt that is left."""
    end: AttemptEnd
    code: str = ""
    """As in `AttemptFailed` and `AttemptTimedOut`; of a lost one the reason of `AttemptLost`."""
    message: str = ""
    run_timeout_s: float = 0.0
    """Of one that timed out; 0: of another."""
    run_s: float = 0.0
    """Measured, of one that was given up before its time was over; 0: of another."""
    only: bool = False
    """As in `AttemptLost`."""
