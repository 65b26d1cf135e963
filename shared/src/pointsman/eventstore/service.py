"""What a service is to whoever runs it: its name, its settings and how it starts on a log.

Several services can live in one process on one log, each in a scope of its own; alone, a service
opens a log in its own data directory.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Generic, TypeVar

import structlog
from pydantic import SecretStr, field_validator
from pydantic_settings import NoDecode

from pointsman.contracts.topics import EventCodec
from pointsman.eventstore.archive import ARCHIVE, Archive
from pointsman.eventstore.archived_log import ArchivedLog
from pointsman.eventstore.pokes import poke_others
from pointsman.eventstore.ports import EventStore
from pointsman.eventstore.sqlite import SqliteEventStore
from pointsman.runtime.service import ServiceScope, run_service
from pointsman.runtime.settings import ServiceSettings

_log = structlog.get_logger(__name__)


class LogSettings(ServiceSettings):
    """Settings of a service that appends to the log."""

    data: Path = Path(".pointsman")
    """Directory of the log, the blobs and the views; one process at a time may append there."""
    database_url: SecretStr | None = None
    """PostgreSQL of the log, `postgresql://user:password@host:port/database`, where any number of
    processes may append; none: a file in `data`."""
    write_versions: Annotated[tuple[str, ...], NoDecode] = ()
    """New versions of event types that are written from now on, separated by commas; only once
    everything that reads the log is of a release that knows them."""

    @field_validator("write_versions", mode="before")
    @classmethod
    def _split_versions(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return tuple(entry.strip() for entry in value.split(",") if entry.strip())

    def codec(self) -> EventCodec:
        """How this service reads and writes events; raises `NotSwitchableError`."""
        return EventCodec(switched_on=self.write_versions)


SettingsT = TypeVar("SettingsT", bound=LogSettings)


@dataclass(frozen=True, slots=True)
class Service(Generic[SettingsT]):
    """Registered as an entry point of the group `pointsman.services`.

    `start` returns when the service is up and registers with the scope whatever has to end with
    it; the store is the caller's, and outlives the scope.
    """

    name: str
    settings: type[SettingsT]
    start: Callable[[ServiceScope, SettingsT, EventStore], Awaitable[None]]

    def run(self) -> int:
        """Run the service alone, on the log that its settings name; gives the exit status."""
        settings = self.settings()

        async def start(scope: ServiceScope) -> None:
            await self.start(scope, settings, await open_log(scope, settings))

        return run_service(self.name, start, settings)


async def open_log(scope: ServiceScope, settings: LogSettings) -> EventStore:
    """The log that the settings name, closed with the scope; its processes poke each other.

    Raises what `SqliteEventStore` does or what `PostgresEventStore.open` does.
    """
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    archive = Archive(settings.data / ARCHIVE)
    if settings.database_url is None:
        file = ArchivedLog(SqliteEventStore(settings.data / "log.db"), archive)
        scope.on_stop(file.close, "log")
        return file
    # Its driver takes 6 MB, which a stack on a file does not need.
    from pointsman.eventstore.postgres import PostgresEventStore  # noqa: PLC0415 - see above

    store = await PostgresEventStore.open(settings.database_url.get_secret_value())
    database = ArchivedLog(store, archive)
    scope.on_stop(database.close, "log")
    poke_others(scope, settings.nats, database)
    return database
