"""Events of long runs and of endpoints that fail; all decided by the pool's leader."""

from pointsman.contracts.events.tasks import Decision
from pointsman.contracts.message import BlobRef


class TaskCheckpointed(Decision, frozen=True):
    """The running attempt handed back where it stands; the next one goes on from there.

    Of one task, attempt and sequence only ever grow.
    """

    attempt: int
    sequence: int
    """1, 2, 3 ... as the holder counted what its model sent; not every one is recorded."""
    variant: str
    """Only this variant goes on from it."""
    checkpoint: BlobRef
    progress: float | None = None
    """0 to 1, as the model last said."""


class BreakerOpened(Decision, frozen=True):
    """Nothing is granted to a variant on a device until `until`, and one probe after that."""

    device: str
    variant: str
    until: float
    reason: str
    """A sentence with its figures."""
    code: str = ""
    """Of the last failure that counted."""
    failures: int = 0
    """Failures that counted, of the last `calls`."""
    calls: int = 0
    probe: bool = False
    """A probe has failed; the breaker was open before."""


class BreakerClosed(Decision, frozen=True):
    """A probe has come back well: the variant is granted to the device again."""

    device: str
    variant: str
    reason: str
