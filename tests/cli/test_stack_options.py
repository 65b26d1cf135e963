"""What commands that start a stack take, and what they refuse before they start anything."""

import pytest
import typer

from pointsman.cli.stack.accounts import SCHEDULER, WATCHERS
from pointsman.cli.stack_options import check_device_options, check_stack_options, services_without
from pointsman.contracts.events import DeviceMode


def test_without_anything_left_out_all_services_run() -> None:
    assert services_without(()) == (SCHEDULER, *WATCHERS)


@pytest.mark.parametrize("name", WATCHERS)
def test_a_service_can_be_left_out(name: str) -> None:
    check_stack_options(without=[name, name])

    assert set(services_without([name, name])) == {SCHEDULER, *WATCHERS} - {name}


def test_the_scheduler_stays_when_all_others_are_left_out() -> None:
    assert services_without(WATCHERS) == (SCHEDULER,)


@pytest.mark.parametrize("name", [SCHEDULER, "executor", "feedbak", ""])
def test_what_cannot_be_left_out_is_refused_with_what_can(name: str) -> None:
    with pytest.raises(typer.BadParameter, match=", ".join(WATCHERS)):
        check_stack_options(without=[name])


@pytest.mark.parametrize(
    "options",
    [
        {"attach": ["http://localhost:8000"]},
        {"tenants": ["Acme"]},
        {"noop": True, "attach": ["grpc://localhost:8001"]},
        {"standby": True},
        {"postgres": "postgresql://db/log"},
    ],
    ids=[
        "address",
        "tenant",
        "both engines",
        "standby alone",
        "database for one process",
    ],
)
def test_options_that_make_no_stack_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(typer.BadParameter):
        check_stack_options(**options)  # pyright: ignore[reportArgumentType]  # mixed values


@pytest.mark.parametrize(
    ("mode", "memory_mib"),
    [(DeviceMode.SHARED, 0.0), (DeviceMode.FIXED, 100.0)],
    ids=["shared without memory", "memory of a fixed device"],
)
def test_memory_goes_with_devices_that_several_models_share(
    mode: DeviceMode, memory_mib: float
) -> None:
    with pytest.raises(typer.BadParameter, match="--memory"):
        check_device_options(mode=mode, memory_mib=memory_mib)


def test_a_dedicated_device_may_leave_its_memory_unsaid() -> None:
    check_device_options(mode=DeviceMode.DEDICATED, memory_mib=0.0)
