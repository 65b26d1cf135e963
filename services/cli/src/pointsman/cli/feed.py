"""Following the log while it grows."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Final
from uuid import UUID

from pointsman.cli.client import StackClient, connected
from pointsman.cli.failures import CommandError, ExitCode
from pointsman.contracts import subjects
from pointsman.contracts.queries import AskPool, ListEvents, PoolRow
from pointsman.contracts.recorded import Recorded

PAGE: Final = 500

_PART_GROWS: Final = 4

# The feed is only a wake-up, so what it loses while the bus is away is found by asking again.
_IDLE_S: Final = 2.0
_RECONNECT_S: Final = 0.5
_AWAY: Final = frozenset({ExitCode.UNREACHABLE, ExitCode.TIMEOUT})


class FeedBell:
    """Rings whenever something was published on the feed."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    async def listen(self, client: StackClient) -> None:
        """Subscribe; what is published after this returns is heard."""

        async def ring(_message: object) -> None:
            self._rung.set()

        await client.nc.subscribe(subjects.FEED, cb=ring)
        await client.nc.flush()

    async def wait(self, timeout_s: float) -> None:
        """Return at the next ring since the last return, or after the time."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._rung.wait()
        except TimeoutError:
            return
        self._rung.clear()


async def head(client: StackClient) -> int:
    """The last position that the leader has folded."""
    return (await client.ask("pool", AskPool(), PoolRow)).position


async def whole_log(
    client: StackClient,
    after: int = 0,
    *,
    topics: tuple[str, ...] = (),
    stream: UUID | None = None,
) -> AsyncGenerator[Recorded]:
    """Every event beyond a position up to the end of the log as it is now, page by page.

    With `stream` only that stream's, beyond a version of it.
    """
    while True:
        asked = ListEvents(after=after, limit=PAGE, topics=topics, stream=stream)
        page = await client.ask("events", asked, list[Recorded])
        if not page:
            return
        for event in page:
            yield event
        after = page[-1].position if stream is None else page[-1].version


async def last_events(
    client: StackClient, count: int, *, topics: tuple[str, ...] = (), stream: UUID | None = None
) -> list[Recorded]:
    """The last `count` events that match, fewer if the log has no more, in log order.

    The log is read forwards only, so a part at its end is tried that grows until it has enough.
    """
    end = 0 if stream is not None else await head(client)
    part = count
    while True:
        start = max(0, end - part)
        found: deque[Recorded] = deque(maxlen=count)
        async for event in whole_log(client, start, topics=topics, stream=stream):
            found.append(event)
        if start == 0 or len(found) == count:
            return list(found)
        part *= _PART_GROWS


async def follow(
    data: Path,
    *,
    after: int | None,
    stream: UUID | None = None,
    say: Callable[[str], None],
) -> AsyncGenerator[Recorded]:
    """Events beyond a position (None: from now on), for ever, across restarts of the stack.

    With `stream` only that stream's events. Raises `CommandError` when no stack runs at first.
    """
    met = False
    told = False
    while True:
        try:
            async with connected(data) as client:
                after = await head(client) if after is None else after
                met, told = True, False
                async with aclosing(_grow(client, after)) as events:
                    async for event in events:
                        after = event.position
                        if stream is None or event.stream == stream:
                            yield event
        except CommandError as error:
            if not met or error.exit_code not in _AWAY:
                raise
            if not told:
                say(f"waiting for the stack: {error.message}")
                told = True
            await asyncio.sleep(_RECONNECT_S)


async def _grow(client: StackClient, after: int) -> AsyncGenerator[Recorded]:
    bell = FeedBell()
    await bell.listen(client)
    while True:
        async for event in whole_log(client, after):
            after = event.position
            yield event
        await bell.wait(_IDLE_S)
