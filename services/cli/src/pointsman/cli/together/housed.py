"""One service inside a process that it shares with others."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Final

import structlog

from pointsman.runtime.errors import NotLeaderError
from pointsman.runtime.health import Health
from pointsman.runtime.service import GRACE_S, ServiceScope

FIRST_DELAY_S: Final = 0.2
LAST_DELAY_S: Final = 10.0
STEADY_S: Final = 30.0
"""A service that was up so long starts again with the first delay."""

_KILL_GRACE_S: Final = 3.0

_log = structlog.get_logger(__name__)

Start = Callable[[ServiceScope], Awaitable[None]]


class KilledError(Exception):
    """Somebody ended the service's tasks to see what the others make of it."""

    code = "killed"


class HousedService:
    """Runs a service in a scope of its own and starts it again when it has failed.

    What it opens it closes again, so that it can start anew beside the others; the log is the
    process's. `vital`: its failure is the end of the process, which folds the log anew; but one
    that leads no more has failed at nothing, and stands by in its next life.
    """

    def __init__(
        self,
        name: str,
        start: Start,
        health: Health,
        *,
        vital: bool = False,
        shared: Mapping[type, object] = MappingProxyType({}),
    ) -> None:
        self.name = name
        self._shared = shared
        self.starts = 0
        self._start = start
        self._health = health
        self.vital = vital
        self._scope: ServiceScope | None = None
        self._part: _PartHealth | None = None
        self._stopping = asyncio.Event()
        self._up = asyncio.Event()
        self._delay_s = FIRST_DELAY_S

    async def up(self) -> None:
        """Return when the service has started."""
        await self._up.wait()

    async def run(self) -> None:
        """Until `stop`; raises what a vital service failed with."""
        structlog.contextvars.bind_contextvars(part=self.name)
        loop = asyncio.get_running_loop()
        while not self._stopping.is_set():
            began = loop.time()
            failure = await self._live()
            if failure is None:
                return
            if self.vital and not isinstance(failure, KilledError | NotLeaderError):
                raise failure
            if loop.time() - began >= STEADY_S:
                self._delay_s = FIRST_DELAY_S
            await self._pause(failure)

    async def stop(self) -> None:
        """End the service in order."""
        self._stopping.set()
        if self._scope is not None:
            self._scope.stop("the process is stopping")

    def kill(self) -> None:
        """End its life at once, as a defect would; it starts again by itself, the vital one too."""
        if self._scope is not None:
            self._scope.fatal(KilledError(f"{self.name} was killed"))

    async def _live(self) -> BaseException | None:
        """One life; None after an orderly end."""
        if self._part is not None:
            # What an earlier life said of its parts, the next one may never speak of.
            self._part.forget_all()
        self._part = _PartHealth(self._health, self.name)
        self._scope = scope = ServiceScope(self.name, self._part, shared=self._shared)
        scope.health.set("service", ok=False, detail="starting")
        starting = asyncio.ensure_future(self._start(scope))
        stopping = asyncio.ensure_future(scope.stopping.wait())
        try:
            await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                starting.result()
                self.starts += 1
                self._up.set()
                scope.health.set("service", ok=True)
                _log.info("started", starts=self.starts)
                await stopping
        except Exception as error:  # noqa: BLE001 - reported by `_pause` or raised by `run`
            scope.fatal(error)
        finally:
            for task in (starting, stopping):
                task.cancel()
            await asyncio.gather(starting, stopping, return_exceptions=True)
            killed = isinstance(scope.failure, KilledError)
            await scope.close(_KILL_GRACE_S if killed else GRACE_S)
        return scope.failure

    async def _pause(self, failure: BaseException) -> None:
        _log.error(
            "service_failed",
            code=getattr(failure, "code", "crashed"),
            error=str(failure) or type(failure).__name__,
            next_step=getattr(failure, "next_step", None),
            again_in_s=self._delay_s,
        )
        if self._part is not None:
            self._part.set("service", ok=False, detail=str(failure) or type(failure).__name__)
        delay_s, self._delay_s = self._delay_s, min(LAST_DELAY_S, 2 * self._delay_s)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(delay_s):
                await self._stopping.wait()


class _PartHealth(Health):
    """The health of one service as a part of its process's."""

    def __init__(self, whole: Health, part: str) -> None:
        super().__init__()
        self._whole = whole
        self._part = part

    def set(self, component: str, ok: bool, detail: str = "") -> None:  # noqa: FBT001 - a state
        super().set(component, ok, detail)
        self._whole.set(f"{self._part} {component}", ok, detail)

    def forget(self, component: str) -> None:
        super().forget(component)
        self._whole.forget(f"{self._part} {component}")

    def forget_all(self) -> None:
        """Stop considering every component."""
        for component in self.components:
            self.forget(component)
