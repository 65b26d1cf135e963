from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pointsman.eventstore import SqliteEventStore
from pointsman.eventstore.postgres import PostgresEventStore
from pointsman.testing.memory_event_store import MemoryEventStore
from tests.support.event_store_contract import EventStoreContract
from tests.support.log_events import ManualClock


class TestMemoryEventStore(EventStoreContract):
    @pytest.fixture
    def store(self, clock: ManualClock) -> MemoryEventStore:
        return MemoryEventStore(clock=clock)


class TestSqliteEventStore(EventStoreContract):
    @pytest.fixture
    async def store(self, clock: ManualClock, tmp_path: Path) -> AsyncIterator[SqliteEventStore]:
        async with SqliteEventStore(tmp_path / "log.db", clock=clock) as store:
            yield store


class TestPostgresEventStore(EventStoreContract):
    @pytest.fixture
    async def store(self, clock: ManualClock, database: str) -> AsyncIterator[PostgresEventStore]:
        async with await PostgresEventStore.open(database, clock=clock) as store:
            yield store
