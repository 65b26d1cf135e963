"""The segments of a log in order: which of the files in a directory belong to it.

The log names its newest segment, each segment the one before. A file that nobody names was left by
a move that did not come to its end: its events are still in the log.
"""

from collections.abc import Iterable, Iterator, Sequence
from heapq import heapify, heappop, heapreplace, merge
from pathlib import Path
from typing import Final
from uuid import UUID

from pointsman.contracts.recorded import Recorded
from pointsman.eventstore.archive_segment import SUFFIX, ArchiveDamagedError, Segment
from pointsman.eventstore.verification import LinkedEvent

ARCHIVE: Final = "archive"
"""The directory of the segments in a data directory."""

# Named by their content (version 5), these streams go on for ever: only tasks are archived.
_NEVER_ARCHIVED: Final = 5


class Archive:
    """Segments in a directory; one thread at a time. Raises `ArchiveDamagedError`."""

    def __init__(self, directory: Path) -> None:
        self.directory: Final = directory
        self.newest = ""
        """Name of the newest segment that belongs to the log."""
        self._segments: dict[str, Segment] = {}

    def has_strangers(self) -> bool:
        """Whether there are files that do not belong to the log as far as is known here."""
        return any(path.name not in self._segments for path in self._files())

    def follow(self, newest: str) -> None:
        """Take in what the log says is its newest segment."""
        known, found = self._segments, list[Segment]()
        name = newest
        while name and name not in known:
            found.append(Segment(self.directory / name))
            name = found[-1].header.previous
        if newest and not found:
            return
        kept = _up_to(known, name)
        self._segments = kept | {segment.name: segment for segment in reversed(found)}
        self.newest = newest

    def segments(self) -> Sequence[Segment]:
        """Oldest first."""
        return list(self._segments.values())

    def read(self, after: int, *, limit: int, topics: Sequence[str] = ()) -> list[Recorded]:
        """Archived events beyond a position, in log order."""
        taken: list[Recorded] = []
        for linked in self._beyond(after):
            if not topics or linked.event.type in topics:
                taken.append(linked.event)
                if len(taken) == limit:
                    break
        return taken

    def read_stream(self, stream: UUID, *, after: int = 0) -> list[Recorded]:
        """Archived events of a stream beyond a version."""
        if stream.version == _NEVER_ARCHIVED:
            return []
        for segment in reversed(self._segments.values()):
            found = segment.of(stream, after)
            if found:
                return found
        return []

    def linked(self, after: int = 0) -> Iterator[LinkedEvent]:
        """Every archived event beyond a position with its link, in log order."""
        return self._beyond(after)

    def sweep(self) -> None:
        """Delete what was left by moves that did not come to their end.

        What bears a higher number than the newest may be named by the log in a moment.
        """
        for path in self._files():
            number = path.name.partition("-")[0]
            if path.name not in self._segments and number <= self.newest.partition("-")[0]:
                path.unlink(missing_ok=True)

    def _files(self) -> list[Path]:
        return list(self.directory.glob(f"*{SUFFIX}*"))

    def _beyond(self, after: int) -> Iterator[LinkedEvent]:
        """A merge that opens a segment when its first event may be the next one."""
        waiting = sorted(
            (each for each in self._segments.values() if each.header.last > after),
            key=lambda segment: -segment.header.first,
        )
        heads: list[tuple[int, int, LinkedEvent, Iterator[LinkedEvent]]] = []
        while waiting or heads:
            while waiting and (not heads or waiting[-1].header.first <= heads[0][0]):
                segment = waiting.pop()
                events = segment.linked(after)
                first = next(events)
                heads.append((first.event.position, segment.header.number, first, events))
                heapify(heads)
            _, number, linked, events = heads[0]
            following = next(events, None)
            if following is None:
                heappop(heads)
            else:
                heapreplace(heads, (following.event.position, number, following, events))
            yield linked


def in_order(log: Iterable[LinkedEvent], archive: Iterable[LinkedEvent]) -> Iterator[LinkedEvent]:
    """The events of both, each once: while it is moved, one stands in both."""
    position = 0
    for linked in merge(log, archive, key=lambda linked: linked.event.position):
        if linked.event.position > position:
            position = linked.event.position
            yield linked


def _up_to(known: dict[str, Segment], newest: str) -> dict[str, Segment]:
    kept: dict[str, Segment] = {}
    if not newest:
        return kept
    for name, segment in known.items():
        kept[name] = segment
        if name == newest:
            return kept
    raise ArchiveDamagedError(Path(newest), "it is not among the segments")
