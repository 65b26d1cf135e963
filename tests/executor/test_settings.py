"""Settings from the environment."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from pointsman.contracts.events import DeviceMode, Residency
from pointsman.executor.settings import DeviceAddress, Settings


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("POINTSMAN_EXECUTOR_BLOBS", str(tmp_path))
    monkeypatch.setenv("POINTSMAN_EXECUTOR_DEVICES", "cpu-0=grpc://127.0.0.1:8001, noop-0=noop:")


def read() -> Settings:
    return Settings()  # pyright: ignore[reportCallIssue] - read from the environment


def test_devices_are_a_list_of_names_and_endpoints(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POINTSMAN_EXECUTOR_NOOP_VARIANTS", "echo,other")

    settings = read()

    assert settings.devices == (
        DeviceAddress("cpu-0", "grpc://127.0.0.1:8001"),
        DeviceAddress("noop-0", "noop:"),
    )
    assert settings.noop_variants == ("echo", "other")
    assert (settings.name, settings.pool) == ("executor-1", "main")


def test_who_loads_is_the_engine_unless_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    fixed = read()
    for name, value in {
        "MODE": "dedicated",
        "MEMORY_MIB": "80000",
        "REPOSITORY": "/models",
        "LOADABLE": "llama-3.1_70b:8:1, embed:2:64",
        "NOOP_LOAD_S": "echo:0.25,other:3",
    }.items():
        monkeypatch.setenv(f"POINTSMAN_EXECUTOR_{name}", value)

    told = read()

    assert (fixed.mode, fixed.loadable, fixed.noop_load_s) == (DeviceMode.FIXED, (), {})
    assert (told.mode, told.memory_mib) == (DeviceMode.DEDICATED, 80_000.0)
    assert told.repository == Path("/models")
    assert told.loadable == (
        Residency(variant="llama-3.1_70b", slots=8, max_batch=1),
        Residency(variant="embed", slots=2, max_batch=64),
    )
    assert told.noop_load_s == {"echo": 0.25, "other": 3.0}


def test_a_device_may_be_one_of_its_engines_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POINTSMAN_EXECUTOR_DEVICES", "gpu-1=grpc://127.0.0.1:8001#1")

    assert read().devices == (DeviceAddress("gpu-1", "grpc://127.0.0.1:8001", 1),)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("MODE", "exclusive", "dedicated"),
        ("LOADABLE", "embed", "variant:slots:max_batch"),
        ("LOADABLE", "embed:0:1", "variant:slots:max_batch"),
        ("NOOP_LOAD_S", "echo:soon", "variant:seconds"),
        ("MEMORY_MIB", "-1", "greater than or equal"),
    ],
)
def test_what_cannot_be_loaded_is_refused_in_words(
    name: str, value: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"POINTSMAN_EXECUTOR_{name}", value)

    with pytest.raises(ValidationError, match=words):
        read()


@pytest.mark.parametrize(
    ("devices", "words"),
    [
        ("cpu-0", "device=grpc"),
        ("=noop:", "device=grpc"),
        ("cpu-0=http://127.0.0.1:8000", "device=grpc"),
        ("gpu-0=grpc://127.0.0.1:8001#first", "device=grpc"),
        ("a=noop:,a=noop:", "named once"),
        ("", "at least 1"),
    ],
)
def test_a_device_that_cannot_be_is_refused_in_words(
    devices: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POINTSMAN_EXECUTOR_DEVICES", devices)

    with pytest.raises(ValidationError, match=words):
        read()


def test_a_name_that_is_no_subject_token_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POINTSMAN_EXECUTOR_NAME", "executor.1")

    with pytest.raises(ValidationError, match="name"):
        read()
