"""A device as its executor sees it: whether it serves, and telling the leader when that changes."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncGenerator, Generator, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
import structlog

from pointsman.contracts.events import DeviceMode, Residency
from pointsman.contracts.leases import DeviceHealth, DeviceOffer
from pointsman.executor import telemetry
from pointsman.executor.holding.heartbeat import infer_alive
from pointsman.executor.holding.restarts import restarts_noticed, what_is_gone
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
    Placement,
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


@dataclass(frozen=True, slots=True)
class DeviceTerms:
    """What an executor's settings say of a device."""

    slots: int
    """Calls that it runs at the same time, over all of its variants."""
    max_batch: int = MAX_BATCH
    mode: DeviceMode = DeviceMode.FIXED
    memory_mib: float = 0.0
    """What models may take of it; 0: not known."""
    gpu: int | None = None
    """Which one of its engine's; None: it has one, or none."""


class Device:
    """One engine with its slots. `watch` has to run for as long as the device is used."""

    def __init__(
        self,
        name: str,
        *,
        endpoint: str,
        terms: DeviceTerms,
        engine: Engine,
        leader: Leader,
        identity: Identity,
        canary_every_s: float = CANARY_EVERY_S,
    ) -> None:
        self.name = name
        self.endpoint = endpoint
        self._terms = terms
        self._engine = engine
        self._leader = leader
        self._identity = identity
        self._canary_every_s = canary_every_s
        self._reports = 0
        self._calls: Counter[str] = Counter()
        self._changes = asyncio.Lock()
        self._quiescent = False
        self._reason = ""
        self._lost = asyncio.Event()
        self._told = asyncio.Event()

    @property
    def serving(self) -> bool:
        """Whether grants for it are taken."""
        return not self._lost.is_set()

    @property
    def mode(self) -> DeviceMode:
        """Who decides what is loaded."""
        return self._terms.mode

    @property
    def gpu(self) -> int | None:
        """Which one of its engine's."""
        return self._terms.gpu

    @property
    def residency(self) -> tuple[Residency, ...]:
        """What is loaded now, as the leader hears of it."""
        return tuple(self._capped(self._engine.residency))

    async def open(self) -> None:
        """Open the engine, however long that takes."""
        await self._engine.open()
        self._quiescent = await self._engine.quiescent()

    def offer(self) -> DeviceOffer:
        """What it serves now; `quiescent` as it was seen when it was opened."""
        fixed = self.mode is DeviceMode.FIXED
        return DeviceOffer(
            device=self.name,
            endpoint=self.endpoint,
            device_class=self._engine.device_class,
            slots=self._terms.slots,
            residency=self.residency,
            quiescent=self._quiescent,
            mode=self.mode,
            memory_mib=self._terms.memory_mib,
            loadable=() if fixed else tuple(self._capped(self._engine.loadable)),
        )

    def _capped(self, variants: Iterable[Residency]) -> Iterable[Residency]:
        for each in variants:
            max_batch = min(each.max_batch, self._terms.max_batch)
            yield msgspec.structs.replace(each, max_batch=max_batch)

    def has(self, variant: str) -> bool:
        """Whether the variant is loaded now."""
        return any(each.variant == variant for each in self._engine.residency)

    def calls_of(self, variant: str) -> int:
        """Attempts of a variant that run."""
        return self._calls[variant]

    @contextlib.contextmanager
    def occupied(self, variant: str) -> Generator[None]:
        """An attempt of the variant runs, from its grant to its outcome."""
        self._calls[variant] += 1
        try:
            yield
        finally:
            self._calls[variant] -= 1

    async def infer(self, call: Call, on_piece: OnPiece | None = None) -> Output:
        """Raises `EngineError`."""
        with restarts_noticed(self.mode):
            return await infer_alive(self._engine, call, on_piece)

    async def infer_batch(self, calls: Sequence[Call]) -> Sequence[Output | EngineError]:
        """Raises `EngineError`."""
        with restarts_noticed(self.mode):
            return await self._engine.infer_batch(calls)

    @contextlib.asynccontextmanager
    async def changing(self) -> AsyncGenerator[None]:
        """What is loaded changes; one change at a time."""
        async with self._changes:
            yield

    async def load(self, variant: str, *, gpus: tuple[int, ...], timeout_s: float) -> None:
        """Raises `EngineError`."""
        await self._engine.load(variant, placement=Placement(gpus), timeout_s=timeout_s)

    async def unload(self, variant: str, *, timeout_s: float) -> None:
        """Raises `EngineError`."""
        await self._engine.unload(variant, timeout_s=timeout_s)

    async def refresh(self) -> None:
        """Learn what is loaded; raises `EngineError`."""
        await self._engine.refresh()

    async def canary(self) -> None:
        """Raises `EngineError`."""
        await self._engine.canary()

    async def try_out(self, call: Call) -> Output:
        """Run a canary; raises `EngineBusyError` when calls in flight explain that it was late."""
        try:
            return await self._engine.infer(call)
        except EngineDeadlineError as error:
            if running := self._calls.total():
                raise EngineBusyError(f"{running} call(s) were in flight") from error
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
            # A server that was restarted has nothing loaded, unless its own settings say so.
            residency = None if self.mode is DeviceMode.FIXED else self.residency
            await self._tell(
                healthy=True,
                reason="a canary came back",
                quiescent=quiescent,
                residency=residency,
            )
            _log.info("device_serves", device=self.name, quiescent=quiescent)

    async def _until_lost(self) -> None:
        failures = 0
        # A doubt is settled soon, not at the usual pace.
        while not await self._lost_within(_PROBE_LAST_S if failures else self._canary_every_s):
            try:
                await self._engine.canary()
                await self._look_for_what_is_gone()
                failures = 0
            except EngineBusyError as error:
                _log.debug("canary_waits", device=self.name, reason=str(error))
            except EngineError as error:
                if self._changes.locked() and not error.device_lost:
                    _log.debug("canary_beside_a_load", device=self.name, reason=str(error))
                    continue
                failures += 1
                _log.warning("canary_failed", device=self.name, code=error.code, reason=str(error))
                if error.device_lost or failures >= FAILURES:
                    self._reason = f"canary failed: {error}"
                    self._lost.set()

    async def _look_for_what_is_gone(self) -> None:
        """An engine that was restarted between two canaries answers, with nothing loaded."""
        if self.mode is DeviceMode.FIXED or self._changes.locked():
            return
        if gone := await what_is_gone(self._engine, self._changes):
            self._reason = f"its engine was restarted: {gone} is gone"
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
                if self.mode is not DeviceMode.FIXED:
                    await self._engine.refresh()
                return await self._engine.canary()
            except EngineError as error:
                _log.debug("device_still_lost", device=self.name, reason=str(error))
            await asyncio.sleep(pause_s)
            pause_s = min(_PROBE_LAST_S, 2 * pause_s)

    async def _tell(
        self,
        *,
        healthy: bool,
        reason: str,
        quiescent: bool,
        residency: tuple[Residency, ...] | None = None,
    ) -> None:
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
                residency=residency,
            )
        )
