"""How far a long log is read, for who watches."""

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final, TextIO

from pointsman.eventstore.log_rows import LogRow, row_pages

_FIRST_AFTER_S: Final = 1.0
_EVERY_S: Final = 0.25
_TO_THE_END: Final = "\x1b[K"
"""What a terminal takes as: the rest of this line is empty."""


class Progress:
    """One line of a terminal that is written again and again; nothing where nobody watches."""

    def __init__(
        self, total: int, stream: TextIO | None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._total = total
        self._stream = stream
        self._clock = clock
        self._next = clock() + _FIRST_AFTER_S
        self._shown = False

    def of(self, pages: Iterable[list[LogRow]]) -> Iterator[list[LogRow]]:
        """The same pages, whose positions are told as they come."""
        for page in pages:
            self._tell(page[-1][0])
            yield page

    def end(self) -> None:
        """Leave the line as it was."""
        if self._shown and self._stream is not None:
            self._stream.write(f"\r{_TO_THE_END}")
            self._stream.flush()

    def _tell(self, position: int) -> None:
        if self._stream is None or self._clock() < self._next:
            return
        self._next, self._shown = self._clock() + _EVERY_S, True
        share = position / max(self._total, position)
        said = f"{position:,} of {self._total:,} events read ({share:.0%})"
        self._stream.write(f"\r{said}{_TO_THE_END}")
        self._stream.flush()


def pages_told(log: Path, progress: Progress | None) -> Iterator[list[LogRow]]:
    """The pages of a log; raises what `row_pages` raises."""
    return row_pages(log) if progress is None else progress.of(row_pages(log))


def progress_on(
    stream: TextIO,
    total: int,
    *,
    environment: Mapping[str, str] = os.environ,
    clock: Callable[[], float] = time.monotonic,
) -> Progress:
    """Progress on a terminal that can write a line again; otherwise none."""
    watched = stream.isatty() and environment.get("TERM", "dumb") != "dumb"
    return Progress(total, stream if watched else None, clock=clock)
