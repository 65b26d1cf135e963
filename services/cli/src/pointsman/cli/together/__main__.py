"""Composition root of the one-process stack: `python -m pointsman.cli.together`.

Services are found by their entry points, so that none is imported by another and none by this.
"""

import sys
from collections.abc import Callable, Sequence
from importlib.metadata import entry_points
from typing import Any, Final, cast

from pydantic import Field, SecretStr

from pointsman.cli.together.housed import HousedService
from pointsman.eventstore.feed_hub import FeedHub
from pointsman.eventstore.ports import EventStore
from pointsman.eventstore.remote_log import RemoteLog
from pointsman.eventstore.service import LogSettings, Service, open_log
from pointsman.runtime.connection import connect
from pointsman.runtime.errors import FatalError
from pointsman.runtime.service import ServiceScope, run_service
from pointsman.runtime.settings import NatsSettings

Find = Callable[[str], Service[Any]]

GROUP: Final = "pointsman.services"
VITAL: Final = "scheduler"


class Settings(LogSettings):
    """Environment variables `POINTSMAN_<NAME>`; each service reads its own beside these."""

    together_services: str = VITAL
    """Which services, separated by commas."""
    together_pools: str = ""
    """The pools that schedulers of this process lead, separated by commas; empty: `pool` alone."""
    together_passwords: dict[str, SecretStr] = Field(default_factory=dict[str, SecretStr])
    """Each service's password on the bus, as a JSON object; its user is its name."""
    together_share_feed: bool = False
    """Hear the feed once for all services, instead of once per service."""


class UnknownServiceError(FatalError):
    """The settings name a service that is not installed."""

    code = "unknown_service"

    def __init__(self, name: str, known: Sequence[str]) -> None:
        super().__init__(
            f"there is no service {name!r}.",
            next_step=f"Name some of {', '.join(known)} in POINTSMAN_TOGETHER_SERVICES.",
        )


class Together:
    """The services of one process, on one log; `find` looks up what the settings name."""

    def __init__(
        self, scope: ServiceScope, settings: Settings, *, find: Find | None = None
    ) -> None:
        self._scope = scope
        self._settings = settings
        self._find = find or find_service
        self._shared: dict[type, object] = {}
        self.housed: dict[str, HousedService] = {}

    async def start(self, store: EventStore | None = None) -> None:
        """Return when the vital service is up; the others come up as what they need does.

        Raises `UnknownServiceError` and what opening the log does.
        """
        log = store or await open_log(self._scope, self._settings)
        names = (name.strip() for name in self._settings.together_services.split(","))
        # All are looked up before one is started.
        services = [self._find(name) for name in dict.fromkeys(names)]
        if self._settings.together_share_feed:
            self._shared[FeedHub] = await self._feed_hub()
        for service in services:
            self._house(service, log)
        for housed in list(self.housed.values()):
            if housed.vital:
                await housed.up()

    def _house(self, service: Service[Any], store: EventStore) -> None:
        pools = [name.strip() for name in self._settings.together_pools.split(",") if name.strip()]
        if service.name != VITAL or not pools:
            self._house_one(service.name, service, self._settings_of(service), store)
            return
        for pool in pools:
            name = service.name if pool == pools[0] else f"{service.name}-{pool}"
            self._house_one(name, service, self._settings_of(service, pool=pool), store)

    def _house_one(
        self, name: str, service: Service[Any], settings: LogSettings, store: EventStore
    ) -> None:

        async def start(scope: ServiceScope) -> None:
            await service.start(scope, settings, store)

        housed = HousedService(
            name,
            start,
            self._scope.health,
            vital=service.name == VITAL,
            shared=self._shared,
        )
        self.housed[name] = housed
        self._scope.spawn(housed.run(), name, finish=True)
        self._scope.on_stop(housed.stop, name)

    async def _feed_hub(self) -> FeedHub:
        """One reader of the feed for all; it logs in as the vital service."""
        settings = self._settings
        nats = NatsSettings(
            url=settings.nats_url,
            user=VITAL if VITAL in settings.together_passwords else "",
            password=settings.together_passwords.get(VITAL, SecretStr("")),
        )
        connection = await connect(nats, name="services", on_fatal=self._scope.fatal)
        self._scope.on_stop(connection.close, "feed connection")
        hub = FeedHub(connection, RemoteLog(connection, "services"))
        await hub.start()
        self._scope.on_stop(hub.stop, "feed hub")
        return hub

    def _settings_of(self, service: Service[Any], **stated: str) -> LogSettings:
        password = self._settings.together_passwords.get(service.name)
        if password is None:
            return cast("LogSettings", service.settings(**stated))
        login = {"nats_user": service.name, "nats_password": password}
        return cast("LogSettings", service.settings(**login, **stated))


def find_service(name: str) -> Service[Any]:
    """An installed service; raises `UnknownServiceError`."""
    found = entry_points(group=GROUP)
    for entry in found:
        if entry.name == name:
            return cast("Service[Any]", entry.load())
    raise UnknownServiceError(name, sorted(entry.name for entry in found))


def main() -> int:
    """Run the services until told to stop; gives the exit status."""
    settings = Settings()

    async def start(scope: ServiceScope) -> None:
        await Together(scope, settings).start()

    return run_service("services", start, settings)


if __name__ == "__main__":
    sys.exit(main())
