"""A device as its executor sees it: whether it serves, and telling the leader when that changes."""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Final

import msgspec
import structlog

from pointsman.contracts.leases import DeviceHealth, DeviceOffer
from pointsman.executor import telemetry
from pointsman.executor.ports import (
    Call,
    Engine,
    EngineBusyError,
    EngineDeadlineError,
    EngineError,
    Identity,
    Leader,
    OnPiece,
    Output,
)

CANARY_EVERY_S: Final = 10.0
MAX_BATCH: Final = 64
"""Tasks of one call at the most, where the model takes more."""
FAILURES: Final = 2
"""Canaries in a row: one may be bad luck, and a false alarm stops the whole device."""
_GOODBYE_S: Final = 2.0
_PROBE_FIRST_S: Final = 0.1
_PROBE_LAST_S: Final = 1.0

_log = structlog.get_logger(__name__)


class Device:
    """One engine with its slots. `watch` has to run for as long as the device is used."""

    def __init__(
        self,
        name: str,
        *,
        endpoint: str,
        slots: int,
        engine: Engine,
        leader: Leader,
        identity: Identity,
        max_batch: int = MAX_BATCH,
        canary_every_s: float = CANARY_EVERY_S,
    ) -> None:
        self.name = name
        self._endpoint = endpoint
        self._slots = slots
        self._max_batch = max_batch
        self._engine = engine
        self._leader = leader
        self._identity = identity
        self._canary_every_s = canary_every_s
        self._reports = 0
        self._running = 0
        self._reason = ""
        self._lost = asyncio.Event()
        self._told = asyncio.Event()

    @property
    def serving(self) -> bool:
        """Whether grants for it are taken."""
        return not self._lost.is_set()

    async def offer(self) -> DeviceOffer:
        """Open the engine, however long that takes, and say what it serves."""
        await self._engine.open()
        return DeviceOffer(
            device=self.name,
            endpoint=self._endpoint,
            device_class=self._engine.device_class,
            slots=self._slots,
            residency=tuple(
                msgspec.structs.replace(loaded, max_batch=min(loaded.max_batch, self._max_batch))
                for loaded in self._engine.residency
            ),
            quiescent=await self._engine.quiescent(),
        )

    async def infer(self, call: Call, on_piece: OnPiece | None = None) -> Output:
        """Raises `EngineError`."""
        self._running += 1
        try:
            return await self._engine.infer(call, on_piece)
        finally:
            self._running -= 1

    async def infer_batch(self, calls: Sequence[Call]) -> Sequence[Output | EngineError]:
        """Raises `EngineError`."""
        self._running += 1
        try:
            return await self._engine.infer_batch(calls)
        finally:
            self._running -= 1

    async def try_out(self, call: Call) -> Output:
        """Run a canary; raises `EngineBusyError` when calls in flight explain that it was late."""
        try:
            return await self._engine.infer(call)
        except EngineDeadlineError as error:
            if self._running:
                raise EngineBusyError(f"{self._running} call(s) were in flight") from error
            raise

    async def lose(self, reason: str) -> None:
        """Take no more grants; returns when the leader has been told, so that it sends none."""
        if not self._lost.is_set():
            self._reason = reason
            self._lost.set()
        await self._told.wait()

    async def say_goodbye(self) -> None:
        """Tell the leader that nothing is taken any more; best effort."""
        if not self.serving:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_GOODBYE_S):
                await self._tell(healthy=False, reason="the executor is stopping", quiescent=False)

    async def close(self) -> None:
        """Give up the engine's connections."""
        await self._engine.close()

    async def watch(self) -> None:
        """Run canaries for ever; take the device out of service and back."""
        while True:
            await self._until_lost()
            telemetry.DEVICE_LOSSES.add(1, {"pointsman.device": self.name})
            _log.warning("device_lost", device=self.name, reason=self._reason)
            await self._tell(healthy=False, reason=self._reason, quiescent=False)
            self._told.set()
            await self._until_serving()
            quiescent = await self._engine.quiescent()
            # Serve before the leader knows: its first grants may come before its answer.
            self._told.clear()
            self._lost.clear()
            await self._tell(healthy=True, reason="a canary came back", quiescent=quiescent)
            _log.info("device_serves", device=self.name, quiescent=quiescent)

    async def _until_lost(self) -> None:
        failures = 0
        # A doubt is settled soon, not at the usual pace.
        while not await self._lost_within(_PROBE_LAST_S if failures else self._canary_every_s):
            try:
                await self._engine.canary()
                failures = 0
            except EngineBusyError as error:
                _log.debug("canary_waits", device=self.name, reason=str(error))
            except EngineError as error:
                failures += 1
                _log.warning("canary_failed", device=self.name, code=error.code, reason=str(error))
                if error.device_lost or failures >= FAILURES:
                    self._reason = f"canary failed: {error}"
                    self._lost.set()

    async def _lost_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._lost.wait()
        except TimeoutError:
            return False
        return True

    async def _until_serving(self) -> None:
        pause_s = _PROBE_FIRST_S
        while True:
            try:
                return await self._engine.canary()
            except EngineError as error:
                _log.debug("device_still_lost", device=self.name, reason=str(error))
            await asyncio.sleep(pause_s)
            pause_s = min(_PROBE_LAST_S, 2 * pause_s)

    async def _tell(self, *, healthy: bool, reason: str, quiescent: bool) -> None:
        self._reports += 1
        await self._leader.health(
            DeviceHealth(
                command_id=f"{self._identity.incarnation}/{self.name}/{self._reports}",
                executor=self._identity.executor,
                incarnation=self._identity.incarnation,
                device=self.name,
                healthy=healthy,
                reason=reason,
                quiescent=quiescent,
            )
        )
