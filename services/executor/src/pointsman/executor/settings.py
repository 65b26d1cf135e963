"""What an executor is told from outside, beside the settings that all services share."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field, StringConstraints, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from pointsman.executor.holding.devices import MAX_BATCH

Token = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]


@dataclass(frozen=True, slots=True)
class DeviceAddress:
    """Where the engine of a device listens: `grpc://host:port`, or `noop:` for the stand-in."""

    device: str
    endpoint: str


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
    """`device=endpoint`, separated by commas: `cpu-0=grpc://127.0.0.1:8001,noop-0=noop:`."""
    slots: int = Field(default=4, ge=1, le=4096)
    """Calls that each device runs at the same time, over all of its variants."""
    max_batch: int = Field(default=MAX_BATCH, ge=1, le=1024)
    """Tasks that one call carries at the most, where the model takes so many; 1: each its own."""
    noop_variants: Annotated[tuple[Token, ...], NoDecode] = ("noop",)
    """What `noop:` devices pretend to serve, separated by commas."""
    blobs: Path
    """Directory of the blob store, shared with whoever submits and reads results."""
    grace_s: float = Field(default=10.0, ge=0.0, le=600.0)
    """How long calls that run may take to end after a stop signal."""

    @field_validator("devices", mode="before")
    @classmethod
    def _split_devices(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        addresses = tuple(_address(entry.strip()) for entry in value.split(",") if entry.strip())
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
        return tuple(entry.strip() for entry in value.split(",") if entry.strip())


def _address(entry: str) -> DeviceAddress:
    device, _, endpoint = entry.partition("=")
    known = endpoint == "noop:" or endpoint.startswith("grpc://")
    if not device or not known:
        message = f"{entry!r} is not `device=grpc://host:port` or `device=noop:`"
        raise ValueError(message)
    return DeviceAddress(device, endpoint)
