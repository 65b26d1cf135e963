"""The blobs of all services, as somebody who only remembers."""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass, field

from pointsman.contracts.message import BlobRef


@dataclass(slots=True)
class RememberedContents:
    """Implements `ports.Contents`; `failure` makes the next sweep fail."""

    used: list[tuple[str, BlobRef]] = field(default_factory=list[tuple[str, BlobRef]])
    sweeps: int = 0
    failure: sqlite3.Error | None = None

    async def use(self, contents: Iterable[tuple[str, BlobRef]]) -> None:
        self.used = list(contents)

    async def sweep(self) -> int:
        self.sweeps += 1
        failure, self.failure = self.failure, None
        if failure is not None:
            raise failure
        return 0
