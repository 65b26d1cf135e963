"""A PostgreSQL that was given: its name without its password, and whether it can take a log."""

import asyncio
import time
from typing import Final

from pointsman.cli.failures import CommandError, ExitCode
from pointsman.cli.stack.log_place import POSTGRESQL, LogPlace
from pointsman.eventstore.postgres_connections import Connection, Database
from pointsman.eventstore.postgres_errors import DatabaseAddressError, DatabaseLoginError
from pointsman.runtime.errors import FatalError

_EXIT_CODES: Final = {
    "backup_missing": ExitCode.NOT_FOUND,
    "database_address": ExitCode.USAGE,
    "database_connections": ExitCode.UNREACHABLE,
    "database_login": ExitCode.NOT_PERMITTED,
    "database_missing": ExitCode.NOT_FOUND,
    "database_unreachable": ExitCode.UNREACHABLE,
    "log_missing": ExitCode.NOT_FOUND,
    "not_a_directory": ExitCode.USAGE,
}
_HAS_LEADERS: Final = "SELECT to_regclass('leader') IS NOT NULL"
_HOLDER: Final = (
    "SELECT holder FROM leader WHERE expires_at > clock_timestamp() ORDER BY expires_at LIMIT 1"
)
_LEAD_ENDS_WITHIN_S: Final = 6.0
_LOOK_S: Final = 0.5
_MAY_TAKE_A_LOG: Final = (
    "SELECT to_regclass('stored_events') IS NOT NULL"
    " OR coalesce(has_schema_privilege(current_schema(), 'CREATE'), false)"
)


def given_postgresql(dsn: str) -> LogPlace:
    """Raises `CommandError`: `database_address`."""
    try:
        return LogPlace(POSTGRESQL, Database(dsn).where)
    except DatabaseAddressError as error:
        raise refused(error) from None


async def check_database(dsn: str) -> str:
    """Give the server's version; asked before anything is started on it.

    Raises `CommandError` with the code of what a service would end with; none shows the password.
    """
    database = Database(dsn)
    try:
        connection, _name = await database.open()
        try:
            return await _version(database, connection)
        finally:
            await connection.close()
    except FatalError as error:
        raise refused(error) from None


async def require_free(dsn: str) -> None:
    """Raise `CommandError` (`database_in_use`) while the scheduler of another stack leads there.

    The lead of a stack that was killed runs out within seconds, and that time is waited for.
    """
    database = Database(dsn)
    connection, _name = await database.open()
    try:
        if not await connection.fetchval(_HAS_LEADERS):
            return
        until = time.monotonic() + _LEAD_ENDS_WITHIN_S
        while (holder := await connection.fetchval(_HOLDER)) is not None:
            if time.monotonic() >= until:
                raise CommandError(
                    f"the scheduler {holder} of another stack leads on {database.where}",
                    code="database_in_use",
                    exit_code=ExitCode.CONFLICT,
                    next_step="stop that stack first, or give this one a database of its own",
                )
            await asyncio.sleep(_LOOK_S)
    finally:
        await connection.close()


async def _version(database: Database, connection: Connection) -> str:
    if not await connection.fetchval(_MAY_TAKE_A_LOG):
        raise DatabaseLoginError(database.where, "it may not make tables there")
    return str(await connection.fetchval("SHOW server_version")).partition(" ")[0]


def refused(error: FatalError) -> CommandError:
    """With the exit status that fits its code."""
    return CommandError(
        str(error).removesuffix(f" {error.next_step}"),
        code=error.code,
        exit_code=_EXIT_CODES.get(error.code, ExitCode.FAILURE),
        next_step=error.next_step,
    )
