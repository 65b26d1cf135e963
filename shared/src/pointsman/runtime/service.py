"""The life of a service process: start, signals, drain, and an end that says why."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from types import MappingProxyType
from typing import Any, Final

import structlog

from pointsman.runtime.crashpoints import arm
from pointsman.runtime.errors import FatalError
from pointsman.runtime.health import Health, HealthServer
from pointsman.runtime.logs import setup_logs
from pointsman.runtime.settings import ServiceSettings
from pointsman.runtime.telemetry_export import setup_telemetry

GRACE_S: Final = 10.0
"""How long work that has begun may take to finish after a stop signal."""

_CANCEL_S: Final = 2.0

_log = structlog.get_logger(__name__)


class ServiceScope:
    """What a service is given to live in: background tasks, an orderly end, health.

    Whatever is registered ends in reverse order: register the connection first and the loops that
    use it afterwards, and they stop pulling before it is flushed and closed.
    """

    def __init__(
        self,
        name: str,
        health: Health | None = None,
        *,
        shared: Mapping[type, object] = MappingProxyType({}),
    ) -> None:
        self.name = name
        self.health = health or Health()
        self.shared = shared
        """What a process with several services has once for all of them, by its type."""
        self.stopping = asyncio.Event()
        self.failure: BaseException | None = None
        self._endings: list[tuple[str, Callable[[], Awaitable[object]]]] = []
        self._tasks: set[asyncio.Task[Any]] = set()
        self._hurry = asyncio.Event()

    def spawn(
        self, work: Coroutine[Any, Any, Any], name: str, *, finish: bool = False
    ) -> asyncio.Task[Any]:
        """Run in the background until it returns, fails (that ends the service) or the end comes.

        At the end it is cancelled, or with `finish` waited for during the grace period: for a loop
        that returns by itself once its source is stopped.
        """
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._on_done)

        async def end() -> None:
            if not finish:
                task.cancel()
            await asyncio.wait([task])

        self.on_stop(end, name)
        return task

    def on_stop(self, ending: Callable[[], Awaitable[object]], name: str = "") -> None:
        """Have `ending` awaited at the end, in reverse order of registration, within the grace."""
        self._endings.append((name or getattr(ending, "__qualname__", "ending"), ending))

    def fatal(self, error: BaseException) -> None:
        """End the service with exit status 1; the first error is the one that is reported."""
        if self.failure is None:
            self.failure = error
        self.stopping.set()

    def stop(self, reason: str) -> None:
        """End the service in order; a second call gives up the grace period."""
        if self.stopping.is_set():
            self._hurry.set()
            return
        _log.info("stopping", reason=reason)
        self.stopping.set()

    async def close(self, grace_s: float = GRACE_S) -> None:
        """Run what was registered; an ending that fails or is late does not keep the others."""
        until = asyncio.get_running_loop().time() + grace_s
        # What is still starting may register more meanwhile.
        while self._endings:
            name, ending = self._endings.pop()
            await self._end(name, ending, until)
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_CANCEL_S)

    async def _end(self, name: str, ending: Callable[[], Awaitable[object]], until: float) -> None:
        work = asyncio.ensure_future(ending())
        hurry = asyncio.ensure_future(self._hurry.wait())
        left_s = max(0.1, until - asyncio.get_running_loop().time())
        await asyncio.wait({work, hurry}, timeout=left_s, return_when=asyncio.FIRST_COMPLETED)
        hurry.cancel()
        if not work.done():
            work.cancel()
            _log.warning("ending_late", what=name)
            await asyncio.wait({work}, timeout=_CANCEL_S)
        elif not work.cancelled() and (error := work.exception()) is not None:
            _log.warning("ending_failed", what=name, exc_info=error)

    def _on_done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("task_failed", task=task.get_name(), error=repr(error))
            self.fatal(error)


Start = Callable[[ServiceScope], Awaitable[None]]


def run_service(
    name: str, start: Start, settings: ServiceSettings, *, grace_s: float = GRACE_S
) -> int:
    """Run a service until a signal, the end of its parent or a fatal error; gives the exit status.

    `start` connects, registers what has to end with the scope and returns when the service is up.
    SIGTERM and SIGINT stop it in order; a second one gives up the grace period.
    """
    setup_logs(name, level=settings.log_level, style=settings.log_format)
    flush_telemetry = setup_telemetry(name, settings)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        try:
            return runner.run(_serve(name, start, settings, grace_s))
        finally:
            flush_telemetry()


async def _serve(name: str, start: Start, settings: ServiceSettings, grace_s: float) -> int:
    scope = ServiceScope(name)
    _watch_signals(scope)
    if settings.parent_fd is not None:
        _watch_parent(scope, settings.parent_fd)
    try:
        arm(settings.crash_at, allowed=settings.crashpoints)
        if settings.health_port is not None:
            server = HealthServer(scope.health, settings.health_port)
            await server.start()
            scope.on_stop(server.stop, "health server")
            _log.info("health_served", port=server.port)
        await _live(scope, start)
    except Exception as error:  # noqa: BLE001 - reported below, with its code
        scope.fatal(error)
    scope.health.set("service", ok=False, detail="stopping")
    await scope.close(grace_s)
    if scope.failure is not None:
        _report(scope.failure)
        return 1
    _log.info("stopped")
    return 0


async def _live(scope: ServiceScope, start: Start) -> None:
    scope.health.set("service", ok=False, detail="starting")
    starting = asyncio.ensure_future(start(scope))
    stopping = asyncio.ensure_future(scope.stopping.wait())
    try:
        await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            starting.cancel()
            await asyncio.wait({starting}, timeout=_CANCEL_S)
            return
        starting.result()
        scope.health.set("service", ok=True)
        _log.info("started")
        await stopping
    finally:
        stopping.cancel()


def _watch_signals(scope: ServiceScope) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, scope.stop, number.name)


def _watch_parent(scope: ServiceScope, fd: int) -> None:
    """The parent holds the other end: the system closes it whatever way the parent dies."""
    loop = asyncio.get_running_loop()
    os.set_blocking(fd, False)

    def readable() -> None:
        try:
            gone = os.read(fd, 1024) == b""
        except BlockingIOError:
            return
        if gone:
            loop.remove_reader(fd)
            scope.stop("the parent process is gone")

    loop.add_reader(fd, readable)


def _report(error: BaseException) -> None:
    """One line that says what happened and who acts; a defect also gets its traceback."""
    code = getattr(error, "code", None)
    known = isinstance(error, FatalError) or code is not None
    _log.critical(
        "failed",
        code=code or "crashed",
        error=str(error) or type(error).__name__,
        next_step=getattr(error, "next_step", None),
        exc_info=None if known else error,
    )


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # noqa: PLC0415 - no wheel for every platform
    except ImportError:
        return None
    return uvloop.new_event_loop
