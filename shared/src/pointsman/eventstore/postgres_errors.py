"""Why a PostgreSQL log cannot be opened, and who must act. No message names a password."""

import asyncio
from typing import Final

import asyncpg

from pointsman.runtime.errors import FatalError

MINIMUM_VERSION: Final = 14
"""Older ones are no longer maintained."""

LOST: Final = (
    OSError,
    asyncio.TimeoutError,
    asyncpg.InterfaceError,
    # What the driver says when the server dies between two of its messages.
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.TooManyConnectionsError,
)
"""The connection is gone or was not made; the same may succeed on another one."""


class DatabaseUnreachableError(FatalError):
    """Nobody answers at the address of the log."""

    code = "database_unreachable"

    def __init__(self, where: str, detail: str) -> None:
        super().__init__(
            f"the log's database {where} does not answer: {detail}.",
            next_step="Start PostgreSQL there, or correct POINTSMAN_DATABASE_URL.",
        )


class DatabaseAddressError(FatalError):
    """The setting is no PostgreSQL address."""

    code = "database_address"

    def __init__(self, detail: str) -> None:
        super().__init__(
            f"POINTSMAN_DATABASE_URL is no PostgreSQL address: {detail}.",
            next_step="Write it as postgresql://user:password@host:port/database.",
        )


class DatabaseLoginError(FatalError):
    """The user or the password is refused, or the user may not do what a log needs."""

    code = "database_login"

    def __init__(self, where: str, detail: str) -> None:
        super().__init__(
            f"the log's database {where} refuses this user: {detail}.",
            next_step="Correct user and password in POINTSMAN_DATABASE_URL; the user must own the "
            "database, or may create tables in its schema.",
        )


class DatabaseMissingError(FatalError):
    """The server runs, the database is not there."""

    code = "database_missing"

    def __init__(self, where: str, detail: str) -> None:
        super().__init__(
            f"the log's database {where} is not there: {detail}.",
            next_step="Create it with createdb, or correct the name in POINTSMAN_DATABASE_URL.",
        )


class DatabaseFullError(FatalError):
    """The server accepts no more connections."""

    code = "database_connections"

    def __init__(self, where: str, detail: str) -> None:
        super().__init__(
            f"the log's database {where} takes no more connections: {detail}.",
            next_step="Raise its max_connections, each process of Pointsman needs up to six, or "
            "end other clients.",
        )


class DatabaseTooOldError(FatalError):
    """The server is of a release that the log is not tested with."""

    code = "database_too_old"

    def __init__(self, where: str, found: str) -> None:
        super().__init__(
            f"the log's database {where} is PostgreSQL {found}, and at least "
            f"{MINIMUM_VERSION} is needed.",
            next_step="Upgrade PostgreSQL.",
        )


class UnsafeDatabaseError(FatalError):
    """Commits of this server would not survive a power cut, or not be the log's."""

    code = "unsafe_database_settings"

    def __init__(self, where: str, setting: str, *, found: str, needed: str) -> None:
        super().__init__(
            f"{setting} of the log's database {where} is {found} and must be {needed}, or "
            "acknowledged commits can be lost.",
            next_step=f"Set {setting} in postgresql.conf, for the role or for the database.",
        )
        self.setting = setting
        self.found = found
        self.needed = needed


class UnstorableError(Exception):
    """An append holds what a PostgreSQL text cannot, such as a zero byte; a defect of its writer.

    Nothing of it was recorded.
    """

    code = "unstorable"

    def __init__(self, detail: str) -> None:
        super().__init__(f"the log's database cannot store this, send something else: {detail}")


def opening_error(where: str, error: Exception) -> FatalError:
    """What an error of a first connection means to the operator."""
    detail = " ".join(str(error).split()) or type(error).__name__
    match error:
        case asyncpg.InvalidCatalogNameError():
            return DatabaseMissingError(where, detail)
        case asyncpg.TooManyConnectionsError():
            return DatabaseFullError(where, detail)
        case (
            asyncpg.InvalidAuthorizationSpecificationError() | asyncpg.InsufficientPrivilegeError()
        ):
            return DatabaseLoginError(where, detail)
        case asyncpg.ClientConfigurationError():
            return DatabaseAddressError(detail)
        case _:
            return DatabaseUnreachableError(where, detail)
