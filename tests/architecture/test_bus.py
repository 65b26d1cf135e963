"""What stands in the code about the bus is found, and what does not fit together is refused."""

from dataclasses import dataclass
from typing import Any, cast

import pytest
from faststream.nats import NatsRouter

from tests.architecture import bus
from tests.architecture.bus import BusError, Login, Route, covers, routes
from tests.architecture.source_tree import ROOT


@pytest.mark.parametrize(
    ("pattern", "address", "included"),
    [
        ("pm.query.scheduler.*", "pm.query.scheduler.task", True),
        ("pm.tel.pool.*", "pm.tel.pool.{pool}", True),
        ("pm.cmd.scheduler.>", "pm.cmd.scheduler.{pool}.submit", True),
        ("pm.cmd.scheduler.{pool}.submit", "pm.cmd.scheduler.{pool}.submit", True),
        ("pm.cmd.scheduler.>", "pm.cmd.scheduler", False),
        ("pm.query.*", "pm.query.scheduler.task", False),
        ("pm.tel.pool.main", "pm.tel.pool.{pool}", False),
    ],
)
def test_a_pattern_covers_the_addresses_that_it_matches(
    pattern: str, address: str, *, included: bool
) -> None:
    assert covers(pattern, address) is included


@dataclass(frozen=True)
class Place:
    pool: str
    name: str


def build_example(place: Place, device: str, answers: bytes) -> NatsRouter:
    """Each text names a parameter; what is no text is not touched."""
    router = NatsRouter()

    @router.subscriber(f"pm.lease.{place.pool}.{place.name}.{device}")
    async def take(order: bytes) -> None:
        assert order == answers

    return router


def test_texts_that_a_router_is_built_with_become_parameters() -> None:
    router = build_example(**cast("Any", bus.arguments(build_example)))

    assert list(bus.routes_of("executor", router)) == [
        Route("executor", "pm.lease.{pool}.{name}.{device}", bytes, None, "take")
    ]


def test_a_wildcard_without_a_name_is_refused() -> None:
    router = NatsRouter()

    @router.subscriber("pm.tel.unheard.*")
    async def heard(reading: bytes) -> None:
        assert reading

    with pytest.raises(BusError, match=r"pm\.tel\.unheard"):
        list(bus.routes_of("scheduler", router))


def test_a_service_that_does_not_import_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bus, "SERVICES", [ROOT / "services" / "absent"])

    with pytest.raises(ModuleNotFoundError, match=r"pointsman\.absent"):
        routes.__wrapped__()


def test_a_subscriber_without_a_permission_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    deaf = [Login(login.name, login.publish, ()) for login in bus.logins()]

    monkeypatch.setattr(bus, "logins", lambda: deaf)

    with pytest.raises(BusError, match="may not subscribe"):
        routes.__wrapped__()
