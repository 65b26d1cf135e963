"""Whether a log is still what was written: the chain of hashes, link by link."""

from collections.abc import Iterable
from dataclasses import dataclass

from pointsman.contracts.recorded import Recorded
from pointsman.eventstore.event_chain import NO_LINK, link


@dataclass(frozen=True, slots=True)
class LinkedEvent:
    """A stored event with the link that stands beside it."""

    event: Recorded
    link: bytes


@dataclass(frozen=True, slots=True)
class BrokenLink:
    """The first event that does not fit what stands before it."""

    position: int
    id: str
    stream: str
    topic: str
    reason: str


class ChainCheck:
    """Takes a whole log in order; after the first broken link it looks at nothing more."""

    def __init__(self) -> None:
        self.events = 0
        self.unlinked = 0
        """Events of other programs, which carry no link: nothing vouches for them."""
        self.position = 0
        self.link = NO_LINK
        """Of the last event; whoever keeps it elsewhere can tell later that the end is missing."""
        self.broken: BrokenLink | None = None

    def take(self, events: Iterable[LinkedEvent]) -> None:
        """Check events that follow those taken before."""
        for linked in events:
            if self.broken is not None:
                return
            self.broken = self._fault(linked)
            self.events += 1
            self.unlinked += linked.link == NO_LINK
            self.position, self.link = linked.event.position, linked.link

    def _fault(self, linked: LinkedEvent) -> BrokenLink | None:
        event = linked.event
        if event.position != self.position + 1:
            return _broken(event, _gone(self.position + 1, event.position - 1))
        if linked.link in {NO_LINK, link(self.link, event)}:
            return None
        return _broken(event, "it was changed, or the event before it was")


def _gone(first: int, last: int) -> str:
    return f"event {first} is gone" if first == last else f"the events {first} to {last} are gone"


def _broken(event: Recorded, reason: str) -> BrokenLink:
    return BrokenLink(event.position, str(event.id), str(event.stream), event.type, reason)
