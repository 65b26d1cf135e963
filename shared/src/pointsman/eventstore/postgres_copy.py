"""A log of PostgreSQL as a SQLite file, and back: backups have one form, whatever the store."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Final
from uuid import UUID

from pointsman.eventstore import postgres_schema, schema
from pointsman.eventstore.backup import BackupError
from pointsman.eventstore.log_file import sync
from pointsman.eventstore.postgres_connections import Connection, Database, Row

_PAGE: Final = 2_000

_EVENT_COLUMNS: Final = (
    "originator_id, originator_version, topic, state, notification_id, event_id, recorded_at,"
    " tenant, leader_epoch, chain"
)
_COMMAND_COLUMNS: Final = "consumer, tenant, message_id, request_hash, position, reply, recorded_at"
_EVENTS: Final = (
    f"SELECT {_EVENT_COLUMNS} FROM stored_events"  # noqa: S608 - names of columns
    " WHERE notification_id > $1 ORDER BY notification_id LIMIT $2"
)
_COMMANDS: Final = f"SELECT id, {_COMMAND_COLUMNS} FROM inbox WHERE id > $1 ORDER BY id LIMIT $2"  # noqa: S608 - names of columns
_META: Final = "SELECT key, value FROM log_meta WHERE key <> 'schema'"
_SET_META: Final = (
    "INSERT INTO log_meta VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value"
)
_UNHURRIED: Final = (
    "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0"
)


async def export_log(dsn: str, target: Path) -> None:
    """Copy one committed state of a database's log into a new SQLite log; durable.

    The log may be in use. Raises what `Database.open` does, `LogSchemaError`, `sqlite3.Error`.
    """
    database = Database(dsn)
    connection, _ = await database.open()
    try:
        await postgres_schema.check_version(connection, database.where)
        with closing(sqlite3.connect(target, isolation_level=None)) as log:
            schema.create_tables(log, target)
            async with connection.transaction():
                await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                await connection.execute(_UNHURRIED)
                await _export(connection, log)
    finally:
        await connection.close()
    sync(target)


async def import_log(source: Path, dsn: str) -> None:
    """Fill an empty database with the log of a SQLite file, in one transaction.

    Raises `BackupError` when the database holds a log already, and as `export_log` does.
    """
    database = Database(dsn)
    connection, _ = await database.open()
    try:
        await postgres_schema.create_tables(connection, database.where)
        async with connection.transaction():
            await connection.execute(_UNHURRIED)
            await connection.execute("LOCK TABLE stored_events IN EXCLUSIVE MODE")
            if await connection.fetchval("SELECT EXISTS (SELECT 1 FROM stored_events)"):
                raise BackupError(
                    f"the database {database.where} holds a log already.",
                    next_step="Restore into an empty database.",
                    code="restore_target_in_use",
                )
            with closing(sqlite3.connect(source)) as log:
                await _import(connection, log)
    finally:
        await connection.close()


async def _export(connection: Connection, log: sqlite3.Connection) -> None:
    log.execute("BEGIN")
    last = 0
    while rows := await connection.fetch(_EVENTS, last, _PAGE):
        last = int(rows[-1][4])
        log.executemany(
            f"INSERT INTO stored_events ({_EVENT_COLUMNS}) VALUES ({_marks(10)})",  # noqa: S608 - names of columns
            [
                (
                    row[0].hex,
                    row[1],
                    row[2],
                    row[3],
                    row[4],
                    row[5].bytes,
                    row[6],
                    row[7],
                    row[8],
                    row[9],
                )
                for row in rows
            ],
        )
    last = 0
    while rows := await connection.fetch(_COMMANDS, last, _PAGE):
        last = int(rows[-1][0])
        log.executemany(
            f"INSERT INTO inbox ({_COMMAND_COLUMNS}) VALUES ({_marks(7)})",  # noqa: S608 - names of columns
            [tuple(row[n] for n in range(1, 8)) for row in rows],
        )
    leaders = await connection.fetch("SELECT pool, epoch, holder FROM leader")
    log.executemany(
        "INSERT INTO leader (pool, epoch, holder) VALUES (?, ?, ?)",
        [(row[0], row[1], row[2]) for row in leaders],
    )
    meta = await connection.fetch(_META)
    log.executemany(
        "INSERT OR REPLACE INTO log_meta VALUES (?, ?)", [(row[0], row[1]) for row in meta]
    )
    log.execute("COMMIT")


def _event_row(row: Row) -> tuple[object, ...]:
    """As SQLite keeps it: ids as text and bytes."""
    values = [row[n] for n in range(10)]
    values[0], values[5] = values[0].hex, values[5].bytes
    return tuple(values)


async def _import(connection: Connection, log: sqlite3.Connection) -> None:
    events = log.execute(f"SELECT {_EVENT_COLUMNS} FROM stored_events ORDER BY notification_id")  # noqa: S608 - names of columns
    while rows := events.fetchmany(_PAGE):
        records = [(UUID(hex=row[0]), *row[1:5], UUID(bytes=row[5]), *row[6:]) for row in rows]
        await _copy(connection, "stored_events", _EVENT_COLUMNS, records)
    commands = log.execute(f"SELECT {_COMMAND_COLUMNS} FROM inbox ORDER BY id")  # noqa: S608 - names of columns
    while rows := commands.fetchmany(_PAGE):
        await _copy(connection, "inbox", _COMMAND_COLUMNS, rows)
    for pool, epoch, holder in log.execute("SELECT pool, epoch, holder FROM leader"):
        # Whoever led in the life before leads no more.
        await connection.execute(
            "INSERT INTO leader VALUES ($1, $2, $3, 'epoch')", pool, epoch, holder
        )
    for key, value in log.execute("SELECT key, value FROM log_meta"):
        await connection.execute(_SET_META, key, value)


async def _copy(
    connection: Connection, table: str, columns: str, records: Sequence[tuple[object, ...]]
) -> None:
    names = [name.strip() for name in columns.split(",")]
    await connection.copy_records_to_table(table, records=records, columns=names)


def _marks(count: int) -> str:
    return ", ".join("?" * count)
