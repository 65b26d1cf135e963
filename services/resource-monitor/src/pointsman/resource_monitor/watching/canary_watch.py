"""Asks every ready device for one inference and compares the bytes."""

import asyncio
import secrets
from dataclasses import dataclass
from typing import Final

import structlog

from pointsman.contracts.canaries import CanaryAnswered, CanaryFailed, RunCanary
from pointsman.contracts.queries import DeviceRow
from pointsman.resource_monitor import telemetry
from pointsman.resource_monitor.domain.canary_verdicts import (
    FIXED_TEXT,
    IDENTITY,
    Verdict,
    change,
    compare,
    digest,
    failures_after,
)
from pointsman.resource_monitor.domain.monitor import Monitor
from pointsman.resource_monitor.ports import Executors
from pointsman.resource_monitor.watching.device_watch import DeviceList
from pointsman.resource_monitor.watching.recording import Recording
from pointsman.runtime.clock import Clock

CANARY_EVERY_S: Final = 10.0
TIMEOUT_S: Final = 5.0
"""For one inference; two in a row that take longer are as bad as wrong ones."""

_NONCE_BYTES: Final = 32
_READY: Final = "ready"

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class CanaryState:
    """What this process knows of one device's canaries."""

    asked_at: float = float("-inf")
    """On the monotonic clock."""
    verdict: Verdict | None = None
    judged_at: float | None = None
    failures: int = 0
    silent: bool = False


class CanaryWatch:
    """References and failures in a row are of this process; the verdict is of the log."""

    def __init__(
        self,
        devices: DeviceList,
        executors: Executors,
        monitor: Monitor,
        recording: Recording,
        clock: Clock,
    ) -> None:
        self._devices = devices
        self._executors = executors
        self._monitor = monitor
        self._recording = recording
        self._clock = clock
        self._references: dict[tuple[str, str], str] = {}
        self.states: dict[str, CanaryState] = {}

    async def run(self) -> None:
        """One canary on each ready device that is due, all at once."""
        ready = [row for row in self._devices.attached if row.state == _READY and row.variants]
        now = self._clock.monotonic()
        due: list[tuple[DeviceRow, CanaryState]] = []
        for row in ready:
            state = self.states.setdefault(row.device, CanaryState())
            if now - state.asked_at >= CANARY_EVERY_S:
                state.asked_at = now
                due.append((row, state))
        await asyncio.gather(*(self._run(row, state) for row, state in due))

    async def _run(self, row: DeviceRow, state: CanaryState) -> None:
        variant = IDENTITY if IDENTITY in row.variants else row.variants[0]
        payload = secrets.token_bytes(_NONCE_BYTES) if variant == IDENTITY else FIXED_TEXT
        canary = RunCanary(device=row.device, variant=variant, payload=payload, timeout_s=TIMEOUT_S)
        answer = await self._executors.run(row.executor, canary)
        if answer is None:
            if not state.silent:
                _log.warning("canary_unanswered", device=row.device, executor=row.executor)
            state.silent = True
            _count(row.device, "unanswered")
            return
        state.silent = False
        expected, grounds = self._expected(row.device, canary, answer)
        verdict = compare(variant, expected, grounds, answer)
        if verdict is None:
            _count(row.device, "busy")
            return
        _count(row.device, "right" if verdict.right else "wrong")
        if verdict.seconds is not None:
            telemetry.CANARY_TIME.record(verdict.seconds, {"hw.id": row.device})
        await self._judge(row.device, state, verdict)

    def _expected(
        self, device: str, canary: RunCanary, answer: CanaryAnswered | CanaryFailed
    ) -> tuple[str, str]:
        if canary.variant == IDENTITY:
            return digest(canary.payload), "random bytes came back"
        key = (device, canary.variant)
        if key not in self._references and isinstance(answer, CanaryAnswered):
            self._references[key] = digest(answer.output)
            return self._references[key], "the first answer, from now on the reference"
        return self._references.get(key, ""), "compared with the first answer to this process"

    async def _judge(self, device: str, state: CanaryState, verdict: Verdict) -> None:
        state.verdict, state.judged_at = verdict, self._clock.wall()
        state.failures = failures_after(state.failures, verdict)
        event = change(
            device,
            verdict,
            healthy=self._monitor.healthy(device),
            failures=state.failures,
            now=state.judged_at,
            applied_to=self._recording.position,
        )
        if event is not None and await self._recording.record("canary", device, event):
            _log.info("canary_changed", device=device, healthy=event.healthy, detail=event.detail)


def _count(device: str, outcome: str) -> None:
    telemetry.CANARIES.add(1, {"hw.id": device, "outcome": outcome})
