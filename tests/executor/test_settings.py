"""Settings from the environment."""

from pathlib import Path

import pytest
from pydantic import ValidationError

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


@pytest.mark.parametrize(
    ("devices", "words"),
    [
        ("cpu-0", "device=grpc"),
        ("=noop:", "device=grpc"),
        ("cpu-0=http://127.0.0.1:8000", "device=grpc"),
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
