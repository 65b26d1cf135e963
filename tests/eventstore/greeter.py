"""A service in a process of its own, for `test_service.py`: appends, says so and ends."""

import sys

from pointsman.eventstore.ports import EventStore
from pointsman.eventstore.service import LogSettings, Service
from pointsman.runtime.service import ServiceScope
from tests.support.task_events import record_lives


class Settings(LogSettings):
    greeting: str = "hello"


async def start(scope: ServiceScope, settings: Settings, store: EventStore) -> None:
    last = await record_lives(store, 1)
    sys.stdout.write(f"{scope.name}: {settings.greeting} {last}\n")
    scope.stop("it has done its work")


SERVICE = Service("greeter", Settings, start)

if __name__ == "__main__":
    sys.exit(SERVICE.run())
