"""A projection for tests that shows every event that was lost, repeated or reordered."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from pointsman.contracts.recorded import Recorded
from pointsman.contracts.topics import EventCodec
from pointsman.eventstore.event_sources import LogSource
from pointsman.eventstore.projections import Fact

TASK_TOPICS = frozenset({"task.accepted", "task.granted", "task.completed", "task.cancelled"})


class Chain:
    """Counts events and chains them, so that its value depends on their order."""

    def __init__(
        self,
        name: str = "chain",
        topics: frozenset[str] = TASK_TOPICS,
        *,
        version: int = 1,
        codec: EventCodec | None = None,
    ) -> None:
        self.name = name
        self.version = version
        self.topics = topics
        self.codec = codec or EventCodec()
        self.fails_at: int | None = None

    def create(self, db: sqlite3.Connection) -> None:
        db.execute("CREATE TABLE chain (events INTEGER, value INTEGER)")
        db.execute("INSERT INTO chain VALUES (0, 0)")

    def apply(self, db: sqlite3.Connection, facts: Sequence[Fact]) -> None:
        for fact in facts:
            db.execute(
                "UPDATE chain SET events = events + 1, value = (value * 31 + ?) % 1000000007",
                (fact.recorded.position,),
            )
            if fact.recorded.position == self.fails_at:
                raise RuntimeError("the disk caught fire")


def chain_value(path: Path) -> tuple[int, int]:
    """Events and value of a chain's file."""
    with closing(sqlite3.connect(path)) as db:
        events, value = db.execute("SELECT events, value FROM chain").fetchone()
        return int(events), int(value)


def chain_of(positions: Sequence[int]) -> tuple[int, int]:
    """What a chain over these positions must show."""
    value = 0
    for position in positions:
        value = (value * 31 + position) % 1_000_000_007
    return len(positions), value


class SmallBatches(LogSource):
    """The log a few events at a time, so that there are many commits."""

    async def next(self, after: int) -> Sequence[Recorded]:
        return await self._log.read(after, limit=7) or await super().next(after)
