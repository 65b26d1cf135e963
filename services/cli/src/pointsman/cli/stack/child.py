"""A Python service as a child process that ends when the supervisor does."""

import asyncio
import contextlib
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_PARENT_FD: Final = "POINTSMAN_PARENT_FD"


class PythonChild:
    """`python -m <module>` in a session of its own, its output appended to `log`.

    It inherits the read end of a pipe whose write end this process holds: however this process
    dies, the child reads the end of it and stops.
    """

    def __init__(self, module: str, environment: Mapping[str, str], log: Path) -> None:
        self.log = log
        self._module = module
        self._environment = dict(environment)
        self._process: asyncio.subprocess.Process | None = None
        self._lifeline = -1

    @property
    def pid(self) -> int:
        return self._started().pid

    async def start(self) -> None:
        """Start the process; returns before the service is ready. A running one is left alone."""
        if self._process is not None and self._process.returncode is None:
            return
        self._let_go()
        theirs, self._lifeline = os.pipe()
        log = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            # -P: nothing that lies in the working directory is imported by accident.
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-P", "-m", self._module,
                env={**self._environment, _PARENT_FD: str(theirs)},
                stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log,
                pass_fds=(theirs,), start_new_session=True,
            )  # fmt: skip
        finally:
            os.close(theirs)
            os.close(log)

    async def wait(self) -> int:
        """Wait for the end; negative values are the signal that ended it."""
        status = await self._started().wait()
        self._let_go()
        return status

    async def stop(self, grace_s: float) -> None:
        """Ask it to end, and after `grace_s` kill it."""
        process = self._process
        if process is None:
            return
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(grace_s):
                    await process.wait()
            self.kill()
        await self.wait()

    def kill(self) -> None:
        """End it as `kill -9` does."""
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()

    def _let_go(self) -> None:
        if self._lifeline >= 0:
            os.close(self._lifeline)
            self._lifeline = -1

    def _started(self) -> asyncio.subprocess.Process:
        if self._process is None:
            message = f"{self._module} was not started"
            raise RuntimeError(message)
        return self._process
