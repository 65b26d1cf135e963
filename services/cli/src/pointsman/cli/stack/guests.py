"""Executors that join a running stack, each with a device of its own."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NoReturn

from pointsman.cli.failures import CommandError, ExitCode
from pointsman.cli.stack.accounts import CLI
from pointsman.cli.stack.child import PythonChild
from pointsman.cli.stack.children import guest_environment
from pointsman.cli.stack.keeper import Keeper
from pointsman.cli.stack.plan import GUESTS, DeviceTerms
from pointsman.cli.stack.readiness import wait_ready
from pointsman.cli.stack.record import (
    DeviceRecord,
    StackRecord,
    UnreadableRecordError,
    read_record,
)
from pointsman.runtime.file_lock import FileInUseError, FileLock

_GRACE_S = 25.0
LOOK_EVERY_S = 1.0
"""How soon it is noticed that a stack has ended, or another one runs."""

Say = Callable[[str], None]


class Guest:
    """One executor of a guest's login, kept running by this process."""

    def __init__(self, name: str, record: StackRecord, keeping: asyncio.Task[NoReturn]) -> None:
        self.name = name
        self._record = record
        self._keeping = keeping

    async def until_ready(self, device: DeviceRecord, say: Say) -> None:
        """Return when the stack gives the device work; raises `PartFailedError`."""
        account = self._record.accounts[CLI]
        await self._while_kept(wait_ready(self._record.nats_url, account, [device], say))

    async def until_stack_ends(self) -> None:
        """Return when another stack runs on the directory, or none; raises `PartFailedError`."""
        await self._while_kept(_end_of(self._record))

    async def _while_kept(self, work: Coroutine[Any, Any, None]) -> None:
        working = asyncio.ensure_future(work)
        try:
            await asyncio.wait({working, self._keeping}, return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                self._keeping.result()
            await working
        finally:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)


@asynccontextmanager
async def guest(
    record: StackRecord, device: DeviceRecord, terms: DeviceTerms, say: Say
) -> AsyncGenerator[Guest]:
    """Keep an executor of the device running until the end of the block.

    Raises `CommandError` if no login is free, `PartFailedError` if the executor does not start.
    """
    name, lock = _free_guest(record.data, GUESTS)
    try:
        environment = guest_environment(
            record.data, name, record.accounts[name], record.nats_url, device, terms
        )
        log = record.data / "logs" / f"{name}.log"
        child = PythonChild("pointsman.executor", environment, log)
        keeper = Keeper(name, child, say=say, on_start=_unrecorded, clock=time.monotonic)
        await keeper.start()
        keeping = asyncio.get_running_loop().create_task(keeper.keep())
        try:
            yield Guest(name, record, keeping)
        finally:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)
            await child.stop(_GRACE_S)
    finally:
        lock.release()


async def _end_of(record: StackRecord) -> None:
    while _runs(record):  # noqa: ASYNC110 - another process ends it
        await asyncio.sleep(LOOK_EVERY_S)


def _runs(record: StackRecord) -> bool:
    try:
        now = read_record(record.data)
    except UnreadableRecordError:
        # Of another release: whoever joins it says so.
        return False
    return now is not None and now.started_at == record.started_at


def _unrecorded() -> None:
    """A guest is no part of the stack, and stands in no record of it."""


def _free_guest(data: Path, names: Sequence[str]) -> tuple[str, FileLock]:
    for name in names:
        try:
            return name, FileLock(data / "logs" / name)
        except FileInUseError:
            continue
    raise CommandError(
        f"{len(names)} devices are attached to this stack already",
        code="too_many_attached",
        exit_code=ExitCode.CONFLICT,
        next_step="detach one, or name several when the stack is started: `up --triton` each",
    )
