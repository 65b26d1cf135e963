"""A decision that has not been recorded yet."""

from dataclasses import dataclass
from uuid import UUID

from pointsman.contracts.events import Decision


@dataclass(frozen=True, slots=True)
class Decided:
    """Events of one stream that are recorded together or not at all.

    `after` is the stream's version that the decision was made on. `also` are decisions about other
    streams that are recorded with it: all of them or none.
    """

    stream: UUID
    after: int
    events: tuple[Decision, ...]
    tenant: str = ""
    also: tuple["Decided", ...] = ()
