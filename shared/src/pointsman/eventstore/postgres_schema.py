"""The tables of the PostgreSQL log and the version that they stand at."""

from importlib import resources

from pointsman.eventstore.postgres_connections import Connection
from pointsman.eventstore.schema import SCHEMA_VERSION, LogSchemaError

_VERSION = "SELECT value FROM log_meta WHERE key = 'schema'"

# A fixed number, because there is no table yet whose own could be used.
_LOCK = "SELECT pg_advisory_xact_lock(7306077180132417)"

# Whoever comes second waits for as long as the first needs.
_PATIENCE = "SET LOCAL lock_timeout = 0; SET LOCAL statement_timeout = 0"


async def create_tables(connection: Connection, where: str) -> None:
    """Make an empty database a log; a log stays as it is. Raises `LogSchemaError`.

    Safe while other processes do the same: without the lock, simultaneous CREATEs fail with
    "tuple concurrently updated".
    """
    async with connection.transaction():
        await connection.execute(_PATIENCE)
        await connection.execute(_LOCK)
        if not await _exists(connection, "stored_events"):
            await connection.execute(_script())
            await connection.execute(
                "INSERT INTO log_meta VALUES ('schema', $1)", str(SCHEMA_VERSION)
            )
        await check_version(connection, where)


async def check_version(connection: Connection, where: str) -> None:
    """Raise `LogSchemaError` unless this is a log of the version that this release knows."""
    found = 0
    if await _exists(connection, "log_meta"):
        found = int(await connection.fetchval(_VERSION) or 0)
    if found == SCHEMA_VERSION:
        return
    if found > SCHEMA_VERSION:
        detail = f"its schema has version {found}, this release knows {SCHEMA_VERSION}"
        raise LogSchemaError(where, detail, next_step="Upgrade Pointsman.", found=found)
    if not await _exists(connection, "stored_events"):
        raise LogSchemaError(
            where, "it is empty", next_step="Start the services on it once.", found=found
        )
    raise LogSchemaError(
        where,
        "another program made its table stored_events",
        next_step="Give the log a database of its own.",
        found=found,
    )


async def _exists(connection: Connection, table: str) -> bool:
    return await connection.fetchval("SELECT to_regclass($1)", table) is not None


def _script() -> str:
    files = resources.files("pointsman.eventstore")
    return files.joinpath("postgres_schema.sql").read_text("utf-8")
