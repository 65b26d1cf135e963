"""Services of a test's own, for a process that houses several."""

import asyncio
from collections.abc import Callable
from typing import Any

from pointsman.eventstore.ports import EventStore
from pointsman.eventstore.service import LogSettings, Service
from pointsman.runtime.service import ServiceScope


class SmallService:
    """Notes its starts and ends; fails while it is told to."""

    def __init__(self, name: str, said: list[str]) -> None:
        self.name = name
        self.fails_to_start = 0
        self.scopes: list[ServiceScope] = []
        self.settings: list[LogSettings] = []
        self.stores: list[EventStore] = []
        self._said = said

    @property
    def scope(self) -> ServiceScope:
        """Of its present life."""
        return self.scopes[-1]

    @property
    def service(self) -> Service[LogSettings]:
        return Service(self.name, LogSettings, self.start)

    async def start(self, scope: ServiceScope, settings: LogSettings, store: EventStore) -> None:
        self.scopes.append(scope)
        self.settings.append(settings)
        self.stores.append(store)
        if len(self.scopes) <= self.fails_to_start:
            raise ConnectionError(f"{self.name} finds nobody")

        async def ended() -> None:
            self._said.append(f"{self.name} ended")

        scope.on_stop(ended, "part of it")
        scope.spawn(asyncio.Event().wait(), "work")
        scope.health.set("bus", ok=True)
        self._said.append(f"{self.name} started")

    def crash(self) -> None:
        """Have its work fail."""

        async def fail() -> None:
            raise ValueError(f"a defect of {self.name}")

        self.scope.spawn(fail(), "work with a defect")


def finder(*services: SmallService) -> Callable[[str], Service[Any]]:
    known = {small.name: small.service for small in services}
    return known.__getitem__
