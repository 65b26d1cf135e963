"""Executors that join a running stack, each with a device of its own."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from pointsman.cli.failures import CommandError, ExitCode
from pointsman.cli.stack.accounts import CLI
from pointsman.cli.stack.child import PythonChild
from pointsman.cli.stack.children import guest_environment
from pointsman.cli.stack.plan import GUESTS, DeviceTerms
from pointsman.cli.stack.readiness import wait_ready
from pointsman.cli.stack.record import DeviceRecord, StackRecord
from pointsman.runtime.file_lock import FileInUseError, FileLock

_GRACE_S = 25.0


class Guest:
    """One executor of a guest's login, held by this process."""

    def __init__(self, name: str, child: PythonChild) -> None:
        self.name = name
        self._child = child

    async def until_ready(
        self, record: StackRecord, device: DeviceRecord, say: Callable[[str], None]
    ) -> None:
        """Return when the stack gives the device work; raises `CommandError` if it ends before."""
        waiting = asyncio.ensure_future(
            wait_ready(record.nats_url, record.accounts[CLI], [device], say)
        )
        ending = asyncio.ensure_future(self._child.wait())
        try:
            await asyncio.wait({waiting, ending}, return_when=asyncio.FIRST_COMPLETED)
            if not waiting.done():
                raise self._ended()
            await waiting
        finally:
            waiting.cancel()
            ending.cancel()
            await asyncio.gather(waiting, ending, return_exceptions=True)

    async def until_ended(self) -> None:
        """Raises `CommandError`: nobody starts it again."""
        await self._child.wait()
        raise self._ended()

    def _ended(self) -> CommandError:
        return CommandError(
            f"the executor {self.name} has ended",
            code="executor_ended",
            exit_code=ExitCode.FAILURE,
            next_step=f"read {self._child.log}, then attach the device again",
        )


@asynccontextmanager
async def guest(
    record: StackRecord, device: DeviceRecord, terms: DeviceTerms
) -> AsyncGenerator[Guest]:
    """Run an executor of the device until the end of the block; raises `CommandError`."""
    name, lock = _free_guest(record.data, GUESTS)
    try:
        environment = guest_environment(
            record.data, name, record.accounts[name], record.nats_url, device, terms
        )
        log = record.data / "logs" / f"{name}.log"
        child = PythonChild("pointsman.executor", environment, log)
        try:
            await child.start()
            yield Guest(name, child)
        finally:
            await child.stop(_GRACE_S)
    finally:
        lock.release()


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
