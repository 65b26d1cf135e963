"""One PostgreSQL for all tests of this folder, and an empty database for each of them."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
import pytest_asyncio

from pointsman.eventstore.postgres import PostgresEventStore
from pointsman.runtime.servers import LocalPostgres, ServerMissingError
from pointsman.testing.servers import postgres


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def postgres_server(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[LocalPostgres]:
    try:
        async with postgres(tmp_path_factory.mktemp("server")) as server:
            yield server
    except ServerMissingError as error:
        pytest.skip(str(error))


@pytest_asyncio.fixture
async def database(postgres_server: LocalPostgres) -> AsyncIterator[str]:
    """The DSN of an empty database."""
    name = f"log_{uuid4().hex}"
    yield await postgres_server.create_database(name)
    await postgres_server.drop_database(name)


@pytest.fixture
async def store(database: str) -> AsyncIterator[PostgresEventStore]:
    """A log in PostgreSQL; modules about another store have a fixture of their own."""
    async with await PostgresEventStore.open(database) as store:
        yield store


@pytest.fixture
async def another(store: PostgresEventStore, database: str) -> AsyncIterator[PostgresEventStore]:
    """The same log, as another process has it."""
    async with await PostgresEventStore.open(database) as another:
        yield another
