"""Stacks whose devices are loaded by the scheduler: what their parts are told."""

from pathlib import Path

import pytest

from pointsman.cli.stack.accounts import Account
from pointsman.cli.stack.children import executor_environment
from pointsman.cli.stack.data_directory import DataDirectory
from pointsman.cli.stack.log_place import SQLITE
from pointsman.cli.stack.plan import DeviceTerms, StackPlan
from pointsman.cli.stack.project import find_project
from pointsman.contracts.events import DeviceMode

PREFIX = "POINTSMAN_EXECUTOR_"
ATTACHED = ("grpc://gpu-host:8001",)


def told(plan: StackPlan) -> dict[str, str]:
    """The executor's settings."""
    directory = DataDirectory(plan.data, SQLITE)
    try:
        environment = executor_environment(
            plan, directory, Account("executor-1", "secret"), "nats://127.0.0.1:4222", []
        )
    finally:
        directory.release()
    return {
        name.removeprefix(PREFIX): value
        for name, value in environment.items()
        if name.startswith(PREFIX)
    }


def plan(tmp_path: Path, **changes: object) -> StackPlan:
    return StackPlan(tmp_path / "data", find_project(), **changes)  # pyright: ignore[reportArgumentType] - mixed values


def test_a_triton_of_fixed_devices_loads_everything_at_its_start(tmp_path: Path) -> None:
    fixed = plan(tmp_path)

    assert {"identity", "summarize_lead"} <= set(fixed.models_at_start)
    assert "MODE" not in told(fixed)


@pytest.mark.parametrize("mode", [DeviceMode.DEDICATED, DeviceMode.SHARED])
def test_a_triton_that_the_scheduler_loads_starts_with_the_canarys_model_only(
    tmp_path: Path, mode: DeviceMode
) -> None:
    loaded = plan(tmp_path, terms=DeviceTerms(mode, 500.0))

    assert loaded.models_at_start == ("identity",)
    assert told(loaded) | {
        "MODE": mode.value,
        "MEMORY_MIB": "500.0",
        "REPOSITORY": str(loaded.project.models),
    } == told(loaded)


def test_the_stand_in_declares_the_load_times_of_the_registry(tmp_path: Path) -> None:
    stand_in = plan(tmp_path, terms=DeviceTerms(DeviceMode.DEDICATED), noop=True)

    declared = dict(entry.split(":") for entry in told(stand_in)["NOOP_LOAD_S"].split(","))

    assert {name: float(seconds) for name, seconds in declared.items()} == pytest.approx(
        stand_in.project.load_times()
    )


def test_what_an_attached_triton_could_load_is_said_by_its_operator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"{PREFIX}LOADABLE", "llama:8:1")

    attached = told(plan(tmp_path, terms=DeviceTerms(DeviceMode.DEDICATED), attach=ATTACHED))

    assert attached["LOADABLE"] == "llama:8:1"
    assert "REPOSITORY" not in attached
