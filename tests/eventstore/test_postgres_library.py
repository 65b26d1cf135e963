"""The `eventsourcing` library on our table, between our appends."""

import asyncio
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event

from pointsman.eventstore.ports import (
    Committed,
)
from pointsman.eventstore.postgres import PostgresEventStore
from pointsman.testing.waiting import wait_until
from tests.support.log_events import some_events


def positions(seen: list[Committed]) -> list[int]:
    return [each.recorded.position for each in seen]


class Dog(Aggregate):
    """Written by the library's own application."""

    @event("Registered")
    def __init__(self, name: str) -> None:
        self.name = name

    @event("Renamed")
    def rename(self, name: str) -> None:
        self.name = name


def library(dsn: str) -> Application[UUID]:
    at = urlsplit(dsn)
    settings = {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "POSTGRES_DBNAME": at.path[1:],
        "POSTGRES_HOST": at.hostname or "",
        "POSTGRES_PORT": str(at.port),
        "POSTGRES_USER": at.username or "",
        "POSTGRES_PASSWORD": at.password or "",
        "CREATE_TABLE": "no",
    }

    class Dogs(Application[UUID]):
        name = "stored"

    return Dogs(settings)


async def test_the_library_appends_to_the_same_table_between_our_appends(
    store: PostgresEventStore, database: str
) -> None:
    followed = list[Committed]()
    await store.follow(followed.extend)
    dogs = await asyncio.to_thread(library, database)

    def register(name: str) -> UUID:
        dog = Dog(name)
        dogs.save(dog)
        dog.rename(name.upper())
        dogs.save(dog)
        return dog.id

    try:
        await store.append(some_events(uuid4(), [1]))
        bello = await asyncio.to_thread(register, "bello")
        await store.append(some_events(uuid4(), [1]))
        await asyncio.gather(
            *(asyncio.to_thread(register, f"dog {n}") for n in range(4)),
            *(store.append(some_events(uuid4(), [1])) for _ in range(20)),
        )
        dog: Any = await asyncio.to_thread(dogs.repository.get, bello)
    finally:
        await asyncio.to_thread(dogs.close)

    assert dog.name == "BELLO"
    log = await store.read(0)
    assert [event.position for event in log] == list(range(1, 33))
    times = [event.time_us for event in log]
    assert times == sorted(set(times))
    await wait_until(lambda: positions(followed) == list(range(1, 33)))
