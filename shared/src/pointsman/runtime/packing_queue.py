"""Commands that are ready to be sent, cut into messages."""

import asyncio
from collections import deque
from collections.abc import Iterable
from typing import Final, Generic, TypeVar

from pointsman.contracts.commands import Unavailable

PACK_COMMANDS: Final = 256
PACK_BYTES: Final = 512 * 1024
"""A larger command travels alone."""

A = TypeVar("A")


class Ask(Generic[A]):
    """One command that waits for its answer."""

    __slots__ = (
        "alone", "asked_at", "attempts", "body", "future", "last", "origin", "unavailable", "until"
    )  # fmt: skip

    def __init__(self, body: bytes, future: "asyncio.Future[A]", at: float, until: float) -> None:
        self.body = body
        self.future = future
        self.asked_at = at
        self.until = until
        self.attempts = 0
        self.alone = False
        self.last = "nothing was sent yet"
        self.unavailable: Unavailable | None = None
        self.origin: str | None = None


class PackQueue(Generic[A]):
    """First in, first out; those that nobody waits for any more are dropped."""

    def __init__(self) -> None:
        self._asks: deque[Ask[A]] = deque()

    def __bool__(self) -> bool:
        return bool(self._asks)

    def append(self, asked: Ask[A]) -> None:
        self._asks.append(asked)

    def extend(self, asks: Iterable[Ask[A]]) -> None:
        self._asks.extend(asks)

    def clear(self) -> list[Ask[A]]:
        """Empty it and give what it held."""
        asks = list(self._asks)
        self._asks.clear()
        return asks

    def next_pack(self) -> list[Ask[A]]:
        """What fits into the next message; a command that is `alone` shares it with no other."""
        pack: list[Ask[A]] = []
        size = 2
        while self._asks and len(pack) < PACK_COMMANDS:
            asked = self._asks[0]
            if asked.future.done():
                self._asks.popleft()
                continue
            size += len(asked.body) + 1
            if pack and (size > PACK_BYTES or asked.alone or pack[0].alone):
                break
            pack.append(self._asks.popleft())
        return pack
