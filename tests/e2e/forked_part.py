"""Processes of ours that are forked from one that has imported everything.

What runs in them is the same `main` as in any other; only the second that each start takes for its
imports is spared, which is most of the time of a test that starts dozens of them.
"""

import asyncio
import importlib
import multiprocessing
import os
import sys
from collections.abc import Mapping
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path
from typing import Final

SERVICES_MAIN: Final = "pointsman.cli.together.__main__"
EXECUTOR_MAIN: Final = "pointsman.executor.__main__"
_IMPORTED: Final = (SERVICES_MAIN, EXECUTOR_MAIN, "pointsman.scheduler.__main__", "uvloop")


def fork_server() -> ForkServerContext:
    """The process that others are forked from; it ends with the one that asks for it."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(_IMPORTED))
    return context


class ForkedPart:
    """One process that runs the `main` of a module; its output is appended to `log`."""

    def __init__(
        self, context: ForkServerContext, module: str, environment: Mapping[str, str], log: Path
    ) -> None:
        self.log = log
        self._process: ForkServerProcess = context.Process(
            target=_run, args=(module, dict(environment), str(log)), daemon=True
        )

    async def start(self) -> None:
        """Return when it runs, which is before it is ready."""
        await asyncio.to_thread(self._process.start)

    async def wait(self) -> int:
        """The exit status; negative: the signal that ended it."""
        await asyncio.to_thread(self._process.join)
        assert self._process.exitcode is not None
        return self._process.exitcode

    def kill(self) -> None:
        """End it as `kill -9` does."""
        self._process.kill()


def _run(module: str, environment: dict[str, str], log: str) -> None:
    written = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(written, 1)
    os.dup2(written, 2)
    os.environ.clear()
    os.environ.update(environment)
    sys.exit(importlib.import_module(module).main())
