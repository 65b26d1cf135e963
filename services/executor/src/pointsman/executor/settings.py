"""What an executor is told from outside, beside the settings that all services share."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

from pydantic import Field, StringConstraints, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from pointsman.contracts.events import DeviceMode, Residency
from pointsman.executor.holding.devices import MAX_BATCH
from pointsman.executor.ports import GRPC, NOOP

Token = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]

_NAME: Final = r"([A-Za-z0-9][A-Za-z0-9._-]{0,127})"
_LOADABLE: Final = re.compile(rf"^{_NAME}:([1-9][0-9]{{0,3}}):([1-9][0-9]{{0,3}})$")
_DELAY: Final = re.compile(rf"^{_NAME}:([0-9]{{1,4}}(?:\.[0-9]{{1,6}})?)$")


@dataclass(frozen=True, slots=True)
class DeviceAddress:
    """Where the engine of a device listens: `grpc://host:port`, or `noop:` for the stand-in."""

    device: str
    endpoint: str
    gpu: int | None = None
    """Which of the GPUs of an engine that has several."""


class Settings(BaseSettings):
    """Read once, in `__main__`, from `POINTSMAN_EXECUTOR_*`."""

    model_config = SettingsConfigDict(
        env_prefix="POINTSMAN_EXECUTOR_", frozen=True, use_attribute_docstrings=True
    )

    name: Token = "executor-1"
    """Stable over restarts, and of one process only: a start with it ends the earlier one."""
    pool: Token = "main"
    """The pool whose leader gives the orders."""
    devices: Annotated[tuple[DeviceAddress, ...], NoDecode, Field(min_length=1)]
    """`device=endpoint`, separated by commas: `cpu-0=grpc://127.0.0.1:8001,noop-0=noop:`.

    An engine with several GPUs gets a device for each: `gpu-1=grpc://127.0.0.1:8001#1`.
    """
    mode: DeviceMode = DeviceMode.FIXED
    """Who decides what the devices have loaded: `fixed` their engines, `dedicated` the leader, one
    model at a time, `shared` the leader, as many as memory holds."""
    memory_mib: float = Field(default=0.0, ge=0.0)
    """What models may take of the memory of each device; 0: not known."""
    repository: Path | None = None
    """The engines' model repository as this process can read it: what a model would be that is not
    loaded stands there only."""
    loadable: Annotated[tuple[Residency, ...], NoDecode] = ()
    """Where the repository cannot be read, `variant:slots:max_batch`, separated by commas."""
    slots: int = Field(default=4, ge=1, le=4096)
    """Calls that each device runs at the same time, over all of its variants."""
    max_batch: int = Field(default=MAX_BATCH, ge=1, le=1024)
    """Tasks that one call carries at the most, where the model takes so many; 1: each its own."""
    noop_variants: Annotated[tuple[Token, ...], NoDecode] = ("noop",)
    """What `noop:` devices pretend to serve, separated by commas."""
    noop_load_s: Annotated[dict[str, float], NoDecode] = Field(default_factory=dict[str, float])
    """The load delays that `noop:` devices declare, in seconds: `variant:0.5`, separated by
    commas."""
    blobs: Path
    """Directory of the blob store, shared with whoever submits and reads results."""
    grace_s: float = Field(default=10.0, ge=0.0, le=600.0)
    """How long calls that run may take to end after a stop signal."""

    @field_validator("devices", mode="before")
    @classmethod
    def _split_devices(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        addresses = tuple(map(_address, _entries(value)))
        names = [address.device for address in addresses]
        if len(set(names)) < len(names):
            message = f"each device may be named once, found {', '.join(names)}"
            raise ValueError(message)
        return addresses

    @field_validator("noop_variants", mode="before")
    @classmethod
    def _split_variants(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return _entries(value)

    @field_validator("loadable", mode="before")
    @classmethod
    def _split_loadable(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return tuple(map(_loadable, _entries(value)))

    @field_validator("noop_load_s", mode="before")
    @classmethod
    def _split_delays(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return dict(map(_delay, _entries(value)))


def _entries(text: str) -> tuple[str, ...]:
    return tuple(entry.strip() for entry in text.split(",") if entry.strip())


def _loadable(entry: str) -> Residency:
    match = _LOADABLE.match(entry)
    if match is None:
        message = f"{entry!r} is not `variant:slots:max_batch`"
        raise ValueError(message)
    return Residency(variant=match[1], slots=int(match[2]), max_batch=int(match[3]))


def _delay(entry: str) -> tuple[str, float]:
    match = _DELAY.match(entry)
    if match is None:
        message = f"{entry!r} is not `variant:seconds`"
        raise ValueError(message)
    return match[1], float(match[2])


def _address(entry: str) -> DeviceAddress:
    device, _, endpoint = entry.partition("=")
    endpoint, _, gpu = endpoint.partition("#")
    known = endpoint == NOOP or endpoint.startswith(GRPC)
    if not device or not known or not (gpu.isdecimal() or not gpu):
        message = f"{entry!r} is not `device=grpc://host:port[#gpu]` or `device=noop:`"
        raise ValueError(message)
    return DeviceAddress(device, endpoint, int(gpu) if gpu else None)
