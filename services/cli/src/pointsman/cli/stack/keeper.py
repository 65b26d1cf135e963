"""Keeps one part of a stack running."""

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Final, NoReturn, Protocol

from pointsman.cli.stack.last_words import LastWords, last_words
from pointsman.runtime.servers import ServerStartError

FIRST_DELAY_S: Final = 0.2
LAST_DELAY_S: Final = 5.0
STEADY_S: Final = 30.0
"""A part that was up so long starts again with the first delay."""
START_FAILURES: Final = 5

# Somebody else has to come back first, and does: PostgreSQL is kept running like every part.
_PASSING: Final = frozenset({"database_unreachable", "database_connections"})

# An end by itself within this time is a failure to start; one by a signal never is.
_EARLY_S: Final = 10.0


class Part(Protocol):
    """A child process that can be started again."""

    @property
    def pid(self) -> int: ...

    @property
    def log(self) -> Path: ...

    async def start(self) -> None:
        """Raises `ServerStartError` when another try may help."""
        ...

    async def wait(self) -> int:
        """The exit status; negative: the signal that ended it."""
        ...

    async def stop(self, grace_s: float) -> None: ...

    def kill(self) -> None: ...


class PartFailedError(Exception):
    """A part does not start, whatever is tried; the operator reads its log and repairs.

    Where the part itself knows why (`cause`), it has the code and the next step of that.
    """

    def __init__(
        self, name: str, log: Path, tail: str, cause: ServerStartError | LastWords | None = None
    ) -> None:
        said = f"It says: {cause.error}" if isinstance(cause, LastWords) else ""
        why = said or f"Its last lines:\n{tail}"
        super().__init__(f"{name} failed {START_FAILURES} times to start. {why}")
        self.name = name
        self.log = log
        self.code = "part_failed" if cause is None else cause.code
        self.next_step = (
            f"read {log}, repair what it names and start again"
            if cause is None
            else cause.next_step
        )


class Keeper:
    """Starts a part and starts it again whenever it ends, after a delay that grows.

    `on_start` is called after each start, `say` gets sentences for people, `clock` gives seconds
    that never go back.
    """

    def __init__(
        self,
        name: str,
        part: Part,
        *,
        say: Callable[[str], None],
        on_start: Callable[[], None],
        clock: Callable[[], float],
    ) -> None:
        self.name = name
        self.part = part
        self.starts = 0
        self._say = say
        self._on_start = on_start
        self._clock = clock
        self._failures = 0
        self._delay_s = FIRST_DELAY_S
        self._started_at = 0.0
        self._log_from = 0

    async def start(self) -> None:
        """Return when the part runs; raises `PartFailedError`, and what waiting does not cure."""
        while True:
            self._started_at = self._clock()
            self._log_from = _size(self.part.log)
            try:
                await self.part.start()
            except ServerStartError as error:
                self._failed(error.log_tail, error)
                await self._pause(str(error).splitlines()[0])
            else:
                self.starts += 1
                self._on_start()
                return

    async def keep(self) -> NoReturn:
        """Until cancelled; raises what `start` raises."""
        while True:
            status = await self.part.wait()
            lived_s = self._clock() - self._started_at
            tail = _tail(self.part.log, self._log_from)
            words = last_words(tail)
            if status >= 0 and lived_s < _EARLY_S and not (words and words.code in _PASSING):
                self._failed(tail, words)
            else:
                self._failures = 0
            if lived_s >= STEADY_S:
                self._delay_s = FIRST_DELAY_S
            await self._pause(f"{self.name} {_ending(status)}")
            await self.start()
            self._say(f"{self.name} is running again (process {self.part.pid})")

    def _failed(self, tail: str, cause: ServerStartError | LastWords | None = None) -> None:
        self._failures += 1
        if self._failures >= START_FAILURES:
            raise PartFailedError(self.name, self.part.log, tail, cause)

    async def _pause(self, why: str) -> None:
        delay_s, self._delay_s = self._delay_s, min(LAST_DELAY_S, 2 * self._delay_s)
        self._say(f"{why}; starting it again in {delay_s:g} s")
        await asyncio.sleep(delay_s)


def _ending(status: int) -> str:
    if status >= 0:
        return f"ended with status {status}"
    try:
        return f"was ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"was ended by signal {-status}"


def _size(log: Path) -> int:
    try:
        return log.stat().st_size
    except OSError:
        return 0


def _tail(log: Path, after: int, lines: int = 20) -> str:
    """The last lines behind an offset: what the latest run wrote."""
    try:
        with log.open("rb") as file:
            file.seek(after)
            written = file.read()
    except OSError:
        return ""
    return "\n".join(written.decode(errors="replace").splitlines()[-lines:])
