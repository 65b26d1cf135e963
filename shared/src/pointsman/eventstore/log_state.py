"""What an appending process remembers of the log between two transactions."""

from dataclasses import dataclass, field
from typing import Final

from pointsman.eventstore.event_chain import NO_LINK
from pointsman.eventstore.ports import Leader

MAX_HEADS: Final = 16_384
"""Streams whose last version is remembered, about 3 MB; the oldest half goes beyond it. A stream
that is heard of again later costs one look at an index."""

CommandKey = tuple[str, str, str]
"""Consumer, tenant, message id."""

KnownCommand = tuple[bytes, int, bytes]
"""Request hash, position and reply."""

Whereabouts = tuple[bytes, int, int]
"""Stream, version and position of an event."""


@dataclass(frozen=True, slots=True)
class LogEnd:
    """The last event of the log, zeros before the first."""

    position: int = 0
    """Last position that was handed out."""
    time_us: int = 0
    link: bytes = NO_LINK


@dataclass(slots=True)
class LogState:
    """Valid while nobody else writes; whoever keeps it reads it anew after others have."""

    end: LogEnd = field(default_factory=LogEnd)
    heads: dict[bytes, int] = field(default_factory=dict[bytes, int])
    """Last version by stream, 0 where there is none; complete for the streams of a group."""
    leaders: dict[str, Leader] = field(default_factory=dict[str, Leader])
    """Leader row by pool."""
    leads_run_out: bool = True
    """False where one process appends: then whoever has the log may lead."""

    def make_room(self) -> None:
        """Forget streams that were not heard of for long."""
        if len(self.heads) > MAX_HEADS:
            self.heads = dict(list(self.heads.items())[MAX_HEADS // 2 :])
