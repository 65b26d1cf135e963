"""What the degradation service needs from the world, besides the log and the clock."""

from typing import Protocol

from pointsman.degradation.domain.surroundings import Surroundings
from pointsman.runtime.errors import TransientError


class SurroundingsUnreadableError(TransientError):
    """The view cannot be read at this moment; nothing is decided until it can."""

    code = "view_unreadable"

    def __init__(self, detail: str) -> None:
        super().__init__(f"the view of other services' events cannot be read: {detail}")


class SurroundingsView(Protocol):
    """What other services have recorded, at most a moment behind the log."""

    async def read(self) -> Surroundings:
        """One consistent state; raises `SurroundingsUnreadableError`."""
        ...
