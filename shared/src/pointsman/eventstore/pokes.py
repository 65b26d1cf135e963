"""Processes of one log tell each other that it has grown, so that nobody waits for the next poll.

A poke carries nothing but its sender: what was appended is read from the log.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final
from uuid import uuid4

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from pointsman.contracts import subjects
from pointsman.eventstore.ports import Committed, EventStore
from pointsman.runtime.connection import connect
from pointsman.runtime.errors import FatalError
from pointsman.runtime.service import ServiceScope
from pointsman.runtime.settings import NatsSettings

PAUSE_S: Final = 0.01
"""Between two pokes: under load one stands for many commits, and a commit that comes alone pokes
at once."""

_log = structlog.get_logger(__name__)


class Pokes:
    """Pokes after commits of this process, and has `store` look when others poke."""

    def __init__(self, nc: Client, store: EventStore) -> None:
        self._nc = nc
        self._store = store
        self._sender = uuid4().bytes
        self._timer: asyncio.TimerHandle | None = None
        self._poked_at = 0.0
        self._sending: set[asyncio.Task[None]] = set()
        self._end: Callable[[], None] | None = None

    async def start(self) -> None:
        """Poke and be poked, as long as the connection lives."""
        await self._nc.subscribe(subjects.POKE, cb=self._poked)
        self._end = self._store.on_commit(self._committed)

    def stop(self) -> None:
        """Poke no more."""
        if self._end is not None:
            self._end()

    async def _poked(self, message: Msg) -> None:
        if message.data != self._sender:
            self._store.wake()

    def _committed(self, _: Sequence[Committed]) -> None:
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(max(loop.time(), self._poked_at + PAUSE_S), self._poke)

    def _poke(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer, self._poked_at = None, loop.time()
        if self._nc.is_connected:
            sending = loop.create_task(self._send())
            self._sending.add(sending)
            sending.add_done_callback(self._sending.discard)

    async def _send(self) -> None:
        try:
            await self._nc.publish(subjects.POKE, self._sender)
        except (NatsError, OSError) as error:
            # Whoever misses it polls.
            _log.debug("poke_not_sent", error=repr(error))


def poke_others(scope: ServiceScope, nats: NatsSettings, store: EventStore) -> None:
    """Poke and be poked until the scope ends, on a connection of its own.

    Never a reason to end: whatever goes wrong, every process polls.
    """

    async def run() -> None:
        pokes: Pokes | None = None

        def off(error: Exception) -> None:
            code = getattr(error, "code", "pokes_failed")
            _log.warning("pokes_off", code=code, detail=str(error))
            if pokes is not None:
                pokes.stop()

        try:
            connection = await connect(nats, name=f"{scope.name}-pokes", on_fatal=off)
        except FatalError as error:
            off(error)
            return
        scope.on_stop(connection.close, "pokes")
        pokes = Pokes(connection, store)
        await pokes.start()

    scope.spawn(run(), "pokes")
