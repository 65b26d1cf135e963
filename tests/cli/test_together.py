"""Several services in one process: each fails and starts again by itself."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from pointsman.cli.stack.accounts import SCHEDULER, WATCHERS
from pointsman.cli.together.__main__ import (
    GROUP,
    VITAL,
    Settings,
    Together,
    UnknownServiceError,
    find_service,
)
from pointsman.cli.together.housed import FIRST_DELAY_S, HousedService, KilledError
from pointsman.runtime.errors import FatalError, NotLeaderError
from pointsman.runtime.health import Health
from pointsman.runtime.service import ServiceScope
from pointsman.testing.memory_event_store import MemoryEventStore
from pointsman.testing.waiting import wait_until
from tests.cli.small_services import SmallService, finder

PARTS = ("bus", "service")


@dataclass(frozen=True)
class House:
    """A process's scope with three services in it."""

    together: Together
    scope: ServiceScope
    said: list[str]
    vital: SmallService
    one: SmallService
    two: SmallService

    async def up(self) -> None:
        await asyncio.gather(*(housed.up() for housed in self.together.housed.values()))

    async def started(self, small: SmallService, times: int) -> None:
        await wait_until(lambda: self.together.housed[small.name].starts == times)

    def ready(self) -> bool:
        return self.scope.health.ready


def a_house(**settings: object) -> House:
    said: list[str] = []
    vital, one, two = (SmallService(name, said) for name in (VITAL, "one", "two"))
    scope = ServiceScope("services")
    stated = Settings(together_services=f"{VITAL}, one,two,one", **settings)  # pyright: ignore[reportArgumentType]  # a test's own values
    together = Together(scope, stated, find=finder(vital, one, two))
    return House(together, scope, said, vital, one, two)


@asynccontextmanager
async def living(house: House) -> AsyncGenerator[MemoryEventStore]:
    store = MemoryEventStore()
    try:
        await house.together.start(store)
        yield store
    finally:
        await house.scope.close()


async def test_all_services_live_on_one_log_and_stop_in_reverse_order() -> None:
    house = a_house()
    async with living(house) as store:
        await house.up()

        assert [small.stores for small in (house.vital, house.one, house.two)] == [[store]] * 3

    assert house.said[:3] == [f"{VITAL} started", "one started", "two started"]
    assert house.said[3:] == ["two ended", "one ended", f"{VITAL} ended"]
    assert house.scope.failure is None


async def test_a_service_that_fails_starts_again_and_the_others_go_on() -> None:
    house = a_house()
    async with living(house):
        await house.up()

        house.one.crash()
        await house.started(house.one, 2)

        assert house.said[3:] == ["one ended", "one started"]
        assert len(house.vital.scopes) == len(house.two.scopes) == 1
        assert house.scope.failure is None


async def test_a_service_that_cannot_start_is_tried_again_with_growing_delay() -> None:
    house = a_house()
    house.one.fails_to_start = 3
    with capture_logs() as log:
        async with living(house):
            await house.up()

    failed = [entry for entry in log if entry["event"] == "service_failed"]
    assert [entry["again_in_s"] for entry in failed] == [FIRST_DELAY_S * 2**n for n in range(3)]
    assert {entry["error"] for entry in failed} == {"one finds nobody"}


async def test_a_killed_service_comes_back_the_vital_one_too() -> None:
    house = a_house()
    async with living(house):
        await house.up()

        for small in (house.two, house.vital):
            house.together.housed[small.name].kill()
            await house.started(small, 2)

        assert house.together.housed["one"].starts == 1
        assert house.scope.failure is None


async def test_a_vital_service_that_leads_no_more_stands_by_in_its_next_life() -> None:
    house = a_house()
    async with living(house):
        await house.up()

        house.vital.scope.fatal(NotLeaderError("another leads"))
        await house.started(house.vital, 2)

        assert house.scope.failure is None


async def test_the_failure_of_the_vital_service_ends_the_process() -> None:
    house = a_house()
    async with living(house):
        await house.up()

        house.vital.crash()
        await house.scope.stopping.wait()

    assert "a defect of scheduler" in str(house.scope.failure)
    assert {"one ended", "two ended"} <= set(house.said)


async def test_a_vital_service_that_cannot_start_ends_the_process() -> None:
    house = a_house()
    house.vital.fails_to_start = 1
    starting = asyncio.create_task(house.together.start(MemoryEventStore()))

    await house.scope.stopping.wait()

    assert isinstance(house.scope.failure, ConnectionError)
    starting.cancel()
    await house.scope.close()


async def test_the_health_of_each_part_is_that_of_the_process() -> None:
    house = a_house()
    async with living(house):
        await house.up()
        await wait_until(house.ready)
        parts = set(house.scope.health.components)

        house.one.scope.health.set("view", ok=False, detail="an event of a newer release")
        unwell = house.scope.health.components["one view"]
        ready = house.scope.health.ready
        house.one.scope.health.forget("view")

        assert parts == {f"{name} {part}" for name in (VITAL, "one", "two") for part in PARTS}
        assert (unwell.ok, unwell.detail) == (False, "an event of a newer release")
        assert not ready
        assert house.scope.health.ready


async def test_a_service_that_failed_is_not_ready_until_it_is_up_again() -> None:
    house = a_house()
    async with living(house):
        await house.up()
        await wait_until(house.ready)
        house.one.scope.health.set("view", ok=False, detail="of the first life")

        house.one.crash()
        await wait_until(lambda: "a defect" in house.scope.health.components["one service"].detail)
        await house.started(house.one, 2)

        await wait_until(house.ready)
        assert "one view" not in house.scope.health.components


async def test_a_service_is_stopped_while_it_waits_to_start_again() -> None:
    health, small = Health(), SmallService("one", [])
    small.fails_to_start = 1_000

    async def start(scope: ServiceScope) -> None:
        await small.start(scope, Settings(), MemoryEventStore())

    housed = HousedService("one", start, health)
    running = asyncio.create_task(housed.run())
    await wait_until(lambda: len(small.scopes) == 2)

    await housed.stop()

    async with asyncio.timeout(20):
        await running
    assert not health.ready


async def test_a_service_is_stopped_while_it_starts() -> None:
    async def start(_scope: ServiceScope) -> None:
        await asyncio.Event().wait()

    health = Health()
    housed = HousedService("one", start, health)
    running = asyncio.create_task(housed.run())
    await wait_until(lambda: "one service" in health.components)

    await housed.stop()

    async with asyncio.timeout(20):
        await running
    assert housed.starts == 0


async def test_a_kill_is_told_from_a_defect() -> None:
    house = a_house()
    with capture_logs() as log:
        async with living(house):
            await house.up()
            house.together.housed["one"].kill()
            await house.started(house.one, 2)

    codes = [entry["code"] for entry in log if entry["event"] == "service_failed"]
    assert codes == [KilledError.code]


async def test_each_service_logs_in_with_its_own_password() -> None:
    house = a_house(together_passwords={"one": "secret-1", VITAL: "secret-0"})
    async with living(house):
        await house.up()

        logins = {
            small.name: (stated.nats_user, stated.nats_password.get_secret_value())
            for small in (house.vital, house.one, house.two)
            for stated in small.settings
        }

    assert logins == {VITAL: (VITAL, "secret-0"), "one": ("one", "secret-1"), "two": ("", "")}


def test_passwords_are_read_from_one_json_object_and_never_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("POINTSMAN_TOGETHER_PASSWORDS", json.dumps({"one": "secret-1"}))

    settings = Settings()

    assert settings.together_passwords["one"].get_secret_value() == "secret-1"
    assert "secret-1" not in repr(settings)


async def test_an_unknown_service_is_named_before_any_is_started(tmp_path: Path) -> None:
    scope = ServiceScope("services")
    settings = Settings(together_services="scheduler,sheduler", data=tmp_path)

    with pytest.raises(UnknownServiceError, match="'sheduler'") as unknown:
        await Together(scope, settings).start(MemoryEventStore())

    assert isinstance(unknown.value, FatalError)
    assert unknown.value.code == "unknown_service"
    assert "POINTSMAN_TOGETHER_SERVICES" in unknown.value.next_step
    assert "scheduler" in unknown.value.next_step
    await scope.close()


def test_what_a_stack_runs_is_installed() -> None:
    assert {entry.name for entry in entry_points(group=GROUP)} == {SCHEDULER, *WATCHERS}


def test_a_service_is_found_under_its_own_name() -> None:
    assert find_service(VITAL).name == VITAL
