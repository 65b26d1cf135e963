"""Keeps one pool's ladder where its signals or an operator want it, and its fallbacks current.

Everything is decided on the fold of the log, one decision at a time, and takes effect with its
commit: a crash anywhere leaves either nothing or the whole decision.
"""

import asyncio
from typing import Final

import structlog

from pointsman.contracts.events import (
    Decision,
    FallbackEnded,
    FallbackStarted,
    LevelChanged,
    Pressure,
)
from pointsman.contracts.streams import stream_id
from pointsman.contracts.telemetry import DeviceReading, PoolSample
from pointsman.degradation import telemetry
from pointsman.degradation.domain.fallbacks import available_mib, decide_ended, decide_started
from pointsman.degradation.domain.gauges import Gauges
from pointsman.degradation.domain.ladder import rank
from pointsman.degradation.domain.record import Record
from pointsman.degradation.domain.rules import Rules
from pointsman.degradation.domain.steps import Steps
from pointsman.degradation.domain.surroundings import Surroundings
from pointsman.degradation.domain.timers import Timers
from pointsman.degradation.ports import SurroundingsUnreadableError, SurroundingsView
from pointsman.eventstore.own_events import OwnEvents
from pointsman.eventstore.ports import AppendAnswer, Appended, Command, LogUnavailableError
from pointsman.runtime.clock import Clock

EVERY_S: Final = 1.0
"""Between two looks when no sample arrives: overrides end and inputs become stale by time alone."""

SERVICE: Final = "degradation"

_log = structlog.get_logger(__name__)


class Climber:
    """One pool's ladder and fallbacks. All methods run on one event loop."""

    def __init__(
        self, record: Record, own: OwnEvents, view: SurroundingsView, rules: Rules, clock: Clock
    ) -> None:
        self.record = record
        self.steps = Steps(record.pool, rules)
        self.timers = Timers(rules)
        self.gauges = Gauges()
        self.lock = asyncio.Lock()
        """Held by whoever decides, so that decisions about one stream follow each other."""
        self._own = own
        self._view = view
        self._clock = clock
        self._known = Surroundings()
        self._sampled = asyncio.Event()
        self._stream = stream_id("ladder", record.pool)

    def sampled(self, sample: PoolSample) -> None:
        """A reading of the pool: look at it at once."""
        if sample.pool == self.record.pool:
            self.gauges.sampled(sample, self._clock.wall())
            self._sampled.set()

    def measured(self, reading: DeviceReading) -> None:
        """A reading of a device; it is looked at with the next sample."""
        self.gauges.measured(reading, self._clock.wall())

    def pressure(self, at: float) -> Pressure:
        """What the ladder knows now."""
        return self.gauges.pressure(self._known, self.record.pool, at)

    async def run(self) -> None:
        """Look every second and at every sample, until cancelled."""
        while True:
            try:
                async with asyncio.timeout(EVERY_S):
                    await self._sampled.wait()
            except TimeoutError:
                pass
            self._sampled.clear()
            try:
                await self.look()
            except (LogUnavailableError, SurroundingsUnreadableError) as error:
                _log.warning("decision_put_off", code=error.code, detail=str(error))

    async def look(self) -> None:
        """Decide what follows from what is known now.

        Raises `LogUnavailableError` and `SurroundingsUnreadableError`; the next look decides again.
        """
        known = await self._view.read()
        async with self.lock:
            self._known = known
            await self._end_override()
            await self._step()
            await self._change_fallbacks()

    async def append(self, *events: Decision, command: Command | None = None) -> AppendAnswer:
        """Record a decision about the ladder; the caller holds the lock."""
        answer = await self._own.record(self._own.decided(self._stream, *events), command)
        if isinstance(answer, Appended):
            for event in events:
                _count(event)
        return answer

    @property
    def applied_to(self) -> int:
        """The last position that a decision of now stands on."""
        return max(self._own.position, self._known.position)

    async def _end_override(self) -> None:
        at = self._clock.wall()
        ended = self.steps.expired(self.record.stand, at=at, applied_to=self.applied_to)
        if ended is not None:
            await self.append(ended)

    async def _step(self) -> None:
        at = self._clock.wall()
        pressure = self.pressure(at)
        self.timers.observe(pressure, at)
        telemetry.LEVEL.set(rank(self.record.stand.level), {"pointsman.pool": self.record.pool})
        telemetry.UNKNOWN_INPUTS.set(len(pressure.unknown), {"pointsman.pool": self.record.pool})
        step = self.steps.by_signals(
            self.record.stand, self.timers, pressure, at=at, applied_to=self.applied_to
        )
        if step is not None:
            await self.append(step)

    async def _change_fallbacks(self) -> None:
        at, known = self._clock.wall(), self._known
        decided: list[FallbackStarted | FallbackEnded] = []
        decided += decide_ended(self.record.fallbacks, at=at, applied_to=known.position)
        free = available_mib(known, self.record.pool, self.gauges.free_mib(at))
        decided += decide_started(self.record.fallbacks, known, free, at=at)
        for event in decided:
            stream = stream_id("fallback", f"{event.pool}/{event.variant}")
            decision = self._own.decided(stream, event)
            answer = await self._own.record(decision, _identity(event, decision.after))
            if isinstance(answer, Appended):
                _count(event)


def _identity(event: FallbackStarted | FallbackEnded, after: int) -> Command:
    """The same decision on the same state of its stream is recorded once."""
    name = f"{type(event).__name__} {event.pool}/{event.variant} {after}"
    return Command(SERVICE, "", name, request_hash=b"", reply=b"")


def _count(event: Decision) -> None:
    match event:
        case LevelChanged():
            about = {"pointsman.level": event.level.value, "pointsman.signal": event.trigger}
            telemetry.STEPS.add(1, about)
            _log.info("level_changed", level=event.level.value, reason=event.reason)
        case FallbackStarted():
            viable = bool(event.fallback)
            telemetry.FALLBACKS.add(1, {"pointsman.code": event.code, "pointsman.viable": viable})
            _log.warning("fallback_started", variant=event.variant, fallback=event.fallback)
        case _:
            return
