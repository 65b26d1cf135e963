"""What tests of the PostgreSQL log look at and do to it from outside."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import cast

import asyncpg

from pointsman.eventstore.postgres_connections import Connection

END_OTHERS = (
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


@asynccontextmanager
async def session(dsn: str, **settings: str) -> AsyncGenerator[Connection]:
    """Another client of the database."""
    connection = cast("Connection", await asyncpg.connect(dsn, server_settings=settings))  # pyright: ignore[reportUnknownMemberType]  # asyncpg has no types for it
    try:
        yield connection
    finally:
        connection.terminate()
