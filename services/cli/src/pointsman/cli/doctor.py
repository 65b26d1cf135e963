"""Findings about this machine; nothing is changed by looking."""

import asyncio
import os
import platform
import shutil
import sys
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from pointsman.cli.client import connected, record_of
from pointsman.cli.failures import CommandError, ExitCode
from pointsman.cli.hints import at_data
from pointsman.cli.stack.project import Project, find_project
from pointsman.cli.stack.record import StackRecord
from pointsman.contracts.queries import AskPool, DeviceRow, PoolRow
from pointsman.runtime.servers import (
    ServerError,
    check_nats_server,
    find_nats_server,
    triton_support,
)

_GIB: Final = 1024**3
_LITTLE_GIB: Final = 2
_TOO_LITTLE_GIB: Final = 0.5
_OLDEST: Final = (3, 11)
_ATTACH: Final = "attach one that runs elsewhere: pointsman up --triton grpc://host:port"


class Status(StrEnum):
    """`warn` is a limit that one should know of, `fail` keeps the stack from running."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One check with what was found and what can be done."""

    check: str
    status: Status
    found: str
    next: str = ""

    def document(self) -> dict[str, object]:
        """As a JSON object."""
        return {
            "check": self.check,
            "status": self.status.value,
            "found": self.found,
            "next": self.next,
        }


async def examine(data: Path) -> AsyncGenerator[Finding]:
    """Every check, those first that others stand on."""
    yield _python()
    yield await _nats_server()
    try:
        project = find_project()
    except CommandError as error:
        yield Finding("project", Status.FAIL, error.message, error.next_step)
    else:
        yield Finding("project", Status.OK, str(project.root))
        for finding in await asyncio.to_thread(_triton, project):
            yield finding
    yield _directory(data)
    yield _disk(data)
    async for finding in _stack(data):
        yield finding


def _python() -> Finding:
    found = f"{platform.python_implementation()} {platform.python_version()} at {sys.executable}"
    if sys.version_info[:2] >= _OLDEST:
        return Finding("python", Status.OK, found)
    return Finding("python", Status.FAIL, found, "use Python 3.11 or 3.12")


async def _nats_server() -> Finding:
    try:
        binary = find_nats_server()
        version = await check_nats_server(binary)
    except ServerError as error:
        return Finding("nats-server", Status.FAIL, error.code, str(error))
    return Finding("nats-server", Status.OK, f"{version} at {binary}")


def _triton(project: Project) -> list[Finding]:
    support = triton_support(project.triton_environment)
    if support.environment is None:
        return [
            Finding("triton", Status.FAIL, missing.what, f"{missing.next_step} Or {_ATTACH}")
            for missing in support.missing
        ]
    environment = support.environment
    libpython = environment.libpython_directory
    return [
        Finding("libpython", Status.OK, f"shared, for Python {environment.python}, in {libpython}"),
        Finding("triton", Status.OK, str(environment.server)),
        Finding(
            "triton scope",
            Status.WARN,
            "the packaged Triton is for development on loopback",
            f"in production run NVIDIA's own server and {_ATTACH}",
        ),
    ]


def _directory(data: Path) -> Finding:
    place = data
    while not place.exists() and place != place.parent:
        place = place.parent
    if not place.is_dir():
        advice = "name the data directory of a stack, or a new one, with --data"
        return Finding("data directory", Status.FAIL, f"{place} is no directory", advice)
    if not os.access(place, os.W_OK | os.X_OK):
        return Finding(
            "data directory",
            Status.FAIL,
            f"{place} is not writable for this user",
            "change its owner, or choose another directory with --data",
        )
    exists = "exists" if data.exists() else "will be made by pointsman up"
    return Finding("data directory", Status.OK, f"{data} ({exists})")


def _disk(data: Path) -> Finding:
    place = data
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free / _GIB
    found = f"{free:.1f} GiB free at {place}"
    advice = "free some space, or choose a directory on another disk with --data"
    if free < _TOO_LITTLE_GIB:
        return Finding("disk", Status.FAIL, found, advice)
    if free < _LITTLE_GIB:
        return Finding("disk", Status.WARN, found, advice)
    return Finding("disk", Status.OK, found)


async def _stack(data: Path) -> AsyncGenerator[Finding]:
    try:
        record = record_of(data)
    except CommandError as error:
        yield Finding("stack", Status.WARN, error.message, error.next_step)
        return
    if record is None:
        yield Finding(
            "stack",
            Status.OK,
            f"none is running on {data}",
            at_data("start it: pointsman up", data),
        )
        return
    try:
        async with connected(data) as client:
            pool = await client.ask("pool", AskPool(), PoolRow)
            devices = await client.ask("devices", AskPool(), list[DeviceRow])
    except CommandError as error:
        status = Status.FAIL if error.exit_code is not ExitCode.UNREACHABLE else Status.WARN
        yield Finding("stack", status, error.message, error.next_step)
        return
    yield Finding("stack", Status.OK, f"answers: position {pool.position}, {pool.queued} queued")
    yield _devices(devices)
    yield _restarts(record)


def _devices(devices: list[DeviceRow]) -> Finding:
    away = [device for device in devices if device.state != "ready"]
    found = ", ".join(
        f"{device.device} {device.state} {device.reason}".strip() for device in devices
    )
    if away or not devices:
        return Finding("devices", Status.WARN, found or "none", "read the log of its Triton")
    return Finding("devices", Status.OK, found)


def _restarts(record: StackRecord) -> Finding:
    again = {name: part.starts - 1 for name, part in record.parts.items() if part.starts > 1}
    if not again:
        return Finding("restarts", Status.OK, "no part had to be started again")
    found = ", ".join(f"{name} {times}x" for name, times in again.items())
    return Finding("restarts", Status.WARN, found, f"read the logs in {record.data / 'logs'}")
