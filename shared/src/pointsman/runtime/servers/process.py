"""A server as a child process that outlives neither its parent nor its own purpose."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import psutil

# Runs between fork and the server. Doing this in a fresh interpreter instead of a preexec_fn keeps
# arbitrary Python code out of a fork of a multi-threaded process. The check of the parent closes
# the gap between the fork and prctl, in which the parent may already have died. The variables are
# an argument because LD_LIBRARY_PATH of a server may not fit this interpreter. The account comes
# before the call of prctl, which the kernel forgets when a process changes its user, and after the
# last import, because the account may not be able to read our library. The call asks for SIGKILL
# when the parent dies.
_LAUNCHER = """
import json, os, sys
parent, variables, account = int(sys.argv[1]), json.loads(sys.argv[2]), json.loads(sys.argv[3])
command = sys.argv[4:]
if sys.platform == "linux":
    import ctypes
    prctl = ctypes.CDLL(None).prctl
if account:
    os.chdir("/")
    os.setgroups([])
    os.setgid(account[1])
    os.setuid(account[0])
if sys.platform == "linux":
    prctl(1, 9, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit(1)
os.execve(command[0], command, variables)
"""

_LEFTOVER_WAIT_S = 5.0


@dataclass(frozen=True, slots=True)
class ServerAccount:
    """A user of the system, by number; only root can start a server as another one."""

    uid: int
    gid: int


class ServerProcess:
    """One running server in its own session; stdout and stderr go to ``log``.

    On Linux the kernel kills the server when the *thread* that spawned it ends, so spawn it from
    the thread that runs the program (the main thread's event loop).
    """

    def __init__(self, process: asyncio.subprocess.Process, *, log: Path, log_offset: int) -> None:
        self._process = process
        self._log = log
        self._log_offset = log_offset
        self._group_swept = False

    @classmethod
    async def spawn(
        cls,
        command: Sequence[str],
        *,
        log: Path,
        environment: Mapping[str, str] | None = None,
        account: ServerAccount | None = None,
        pass_fds: Sequence[int] = (),
    ) -> Self:
        """Start ``command`` (first item: absolute path of a program); the log is appended to.

        ``environment`` replaces the inherited variables. With an ``account`` the server is that
        user, in the root directory; it keeps the open files ``pass_fds`` under their numbers.
        """
        variables = json.dumps(dict(os.environ if environment is None else environment))
        user = json.dumps(account and (account.uid, account.gid))
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            log_offset = os.fstat(descriptor).st_size
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-I", "-S", "-c", _LAUNCHER,
                str(os.getpid()), variables, user, *command,
                stdin=asyncio.subprocess.DEVNULL, stdout=descriptor, stderr=descriptor,
                start_new_session=True, pass_fds=tuple(pass_fds),
            )  # fmt: skip
        finally:
            os.close(descriptor)
        return cls(process, log=log, log_offset=log_offset)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.returncode is None

    async def wait(self) -> int:
        """Wait for the end of the server; negative values are the signal that ended it."""
        return await self._process.wait()

    async def stop(self, grace_s: float, request: signal.Signals = signal.SIGTERM) -> None:
        """Ask the server to end, and after ``grace_s`` kill whatever is left of its group."""
        if self.alive:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(request)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(grace_s):
                    await self._process.wait()
        self.kill()
        await self._process.wait()

    def kill(self) -> None:
        """Kill the whole group at once, without a chance to clean up."""
        if self._group_swept:
            return
        # Once only: after the last member is gone its number may belong to a stranger.
        self._group_swept = True
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def log_tail(self, lines: int = 20) -> str:
        """Give the last lines that this process wrote."""
        try:
            written = self._log.read_bytes()[self._log_offset :]
        except FileNotFoundError:
            return ""
        return "\n".join(written.decode(errors="replace").splitlines()[-lines:])


def kill_leftovers(marker: str, *, programs: Sequence[str]) -> list[int]:
    """Kill the processes of ``programs`` with ``marker`` in an argument; return when they are gone.

    For what a killed parent left behind; the marker must be a name that only such processes carry.
    Returns the process ids that were killed.
    """
    doomed: list[psutil.Process] = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            command = process.cmdline()
            if command and Path(command[0]).name in programs and marker in " ".join(command[1:]):
                process.kill()
                doomed.append(process)
    psutil.wait_procs(doomed, timeout=_LEFTOVER_WAIT_S)
    return [process.pid for process in doomed]
