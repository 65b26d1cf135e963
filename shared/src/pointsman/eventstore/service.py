"""What a service is to whoever runs it: its name, its settings and how it starts on a log.

Several services can live in one process on one log, each in a scope of its own; alone, a service
opens a log in its own data directory.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from pointsman.eventstore.ports import EventStore
from pointsman.eventstore.sqlite import SqliteEventStore
from pointsman.runtime.service import ServiceScope, run_service
from pointsman.runtime.settings import ServiceSettings


class LogSettings(ServiceSettings):
    """Settings of a service that appends to the log."""

    data: Path = Path(".pointsman")
    """Directory of the log, the blobs and the views; one process at a time may append there."""


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
        """Run the service alone, on a log in its data directory; gives the exit status."""
        settings = self.settings()

        async def start(scope: ServiceScope) -> None:
            await self.start(scope, settings, open_log(scope, settings.data))

        return run_service(self.name, start, settings)


def open_log(scope: ServiceScope, data: Path) -> EventStore:
    """The log of a data directory, closed with the scope; raises what `SqliteEventStore` does."""
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    store = SqliteEventStore(data / "log.db")
    scope.on_stop(store.close, "log")
    return store
