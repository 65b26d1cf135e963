"""Opening a PostgreSQL log: tables are made once, and whatever is wrong says who must act."""

import asyncio
from urllib.parse import urlsplit

import pytest

from pointsman.eventstore import LogSchemaError
from pointsman.eventstore.postgres import PostgresEventStore
from pointsman.eventstore.postgres_errors import (
    DatabaseAddressError,
    DatabaseFullError,
    DatabaseLoginError,
    DatabaseMissingError,
    DatabaseUnreachableError,
    UnsafeDatabaseError,
)
from pointsman.eventstore.postgres_reader import PostgresLogReader
from pointsman.runtime.errors import FatalError
from pointsman.runtime.servers import LocalPostgres
from tests.support.postgres_log import session


async def test_many_processes_may_create_the_tables_at_once(database: str) -> None:
    stores = await asyncio.gather(*(PostgresEventStore.open(database) for _ in range(8)))

    incarnations = {(await store.identity()).incarnation for store in stores}
    await asyncio.gather(*(store.close() for store in stores))

    assert len(incarnations) == 1


async def test_the_schema_of_a_newer_release_is_refused(
    store: PostgresEventStore, database: str
) -> None:
    async with session(database) as other:
        await other.execute("UPDATE log_meta SET value = '3' WHERE key = 'schema'")

    with pytest.raises(LogSchemaError, match="Upgrade") as caught:
        await PostgresEventStore.open(database)

    assert (caught.value.found, caught.value.known) == (3, 2)


async def test_the_tables_of_another_program_are_refused(database: str) -> None:
    async with session(database) as other:
        await other.execute("CREATE TABLE stored_events (topic text)")

    with pytest.raises(LogSchemaError, match="another program"):
        await PostgresEventStore.open(database)


async def test_a_reader_of_an_empty_database_says_so(database: str) -> None:
    with pytest.raises(LogSchemaError, match="empty"):
        await PostgresLogReader.open(database)


async def test_a_database_that_loses_commits_is_refused(database: str) -> None:
    async with session(database) as other:
        await other.execute("ALTER ROLE CURRENT_USER SET synchronous_commit = off")
    try:
        with pytest.raises(UnsafeDatabaseError, match="synchronous_commit") as caught:
            await PostgresEventStore.open(database)
    finally:
        async with session(database) as other:
            await other.execute("ALTER ROLE CURRENT_USER RESET synchronous_commit")

    assert (caught.value.setting, caught.value.found) == ("synchronous_commit", "off")


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"netloc": "127.0.0.1:9"}, DatabaseUnreachableError),
        ({"path": "/nowhere"}, DatabaseMissingError),
        ({"netloc": "pointsman:wrong@127.0.0.1:{port}"}, DatabaseLoginError),
        ({"scheme": "mysql"}, DatabaseAddressError),
        ({"netloc": "127.0.0.1:many"}, DatabaseAddressError),
    ],
    ids=["nobody there", "no database", "password", "not postgresql", "no port"],
)
async def test_a_log_that_cannot_be_reached_says_who_must_act(
    database: str, change: dict[str, str], error: type[FatalError]
) -> None:
    parts = urlsplit(database)
    changed = {name: value.format(port=parts.port) for name, value in change.items()}

    with pytest.raises(error) as caught:
        await PostgresEventStore.open(parts._replace(**changed).geturl())

    assert caught.value.code.startswith("database_")
    assert parts.password is not None
    assert parts.password not in str(caught.value)


async def test_a_server_without_free_connections_says_who_must_act(
    postgres_server: LocalPostgres, database: str
) -> None:
    name = urlsplit(database).path[1:]
    async with session(postgres_server.admin_dsn) as admin:
        await admin.execute(f'ALTER DATABASE "{name}" CONNECTION LIMIT 0')

    with pytest.raises(DatabaseFullError, match="max_connections"):
        await PostgresEventStore.open(database)
