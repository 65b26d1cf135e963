"""Changes of what a device has loaded: each done once, and reported until it is answered.

A change is a lease of the device's stream with the device's generation. Those of one device are
done one after the other; calls of models that it does not name go on meanwhile.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import structlog

from pointsman.contracts.events import DeviceMode
from pointsman.contracts.leases import (
    Lease,
    ResidencyDone,
    ResidencyGrant,
    ResidencyOutcome,
    ResidencyRefused,
    ResidencyReport,
)
from pointsman.contracts.streams import stream_id
from pointsman.executor import telemetry
from pointsman.executor.holding.devices import Device
from pointsman.executor.holding.runs import REPORT_GRACE_S, Runs, Taken
from pointsman.executor.ports import LOAD_TIMEOUT, EngineBusyError, EngineError, Identity, Leader

UNBOUNDED_S: Final = 600.0
"""Of a change without a time of its own; ten minutes load the largest models from a disk."""
UNDO_S: Final = 10.0
"""For taking back a load that failed; what lasts longer goes on in the engine."""

IN_FLIGHT: Final = "in_flight"
"""Code of a refusal: a model that was to be unloaded has calls; the leader drains it first."""
DEVICE_LOST: Final = "device_lost"
"""Code of a refusal: the device does not serve, or ceased to in between."""
STALE_GENERATION: Final = "stale_generation"
"""Code of a refusal: a later change of the device came first."""
FIXED_DEVICE: Final = "fixed_device"
"""Code of a refusal: by its settings, nobody but the engine decides what this device has loaded."""
GANG_APART: Final = "gang_apart"
"""Code of a refusal: the devices of the gang do not stand on one engine of this executor."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Ended:
    task: UUID
    attempt: int
    report: ResidencyReport


class ResidencyChanges:
    """Of the devices of one executor."""

    def __init__(
        self,
        identity: Identity,
        devices: Mapping[str, Device],
        *,
        leader: Leader,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._identity = identity
        self._devices = devices
        self._leader = leader
        self._clock = clock
        self._runs: Runs[_Ended] = Runs()
        self._latest: dict[str, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._draining = False

    def take(self, grants: Sequence[ResidencyGrant]) -> list[Lease]:
        """Start what is granted; gives the leases that are held, before any of it is done."""
        return [lease for grant in grants if self._take(grant, lease := lease_of(grant))]

    def leases(self) -> Iterable[Lease]:
        """What has to be renewed."""
        return self._runs.leases()

    async def drain(self, grace_s: float) -> None:
        """Take nothing more; what is not done within `grace_s` is left to the engine."""
        self._draining = True
        if self._tasks:
            _, undone = await asyncio.wait(self._tasks, timeout=grace_s)
            if undone and not self._runs.running:
                _, undone = await asyncio.wait(undone, timeout=REPORT_GRACE_S)
            for task in undone:
                task.cancel()

    def _take(self, grant: ResidencyGrant, lease: Lease) -> bool:
        device = self._devices.get(grant.device)
        if device is None or (self._draining and not self._runs.holds(lease)):
            telemetry.GRANTS_REFUSED.add(
                1, {"error.type": "unknown_device" if device is None else "draining"}
            )
            return False
        match self._runs.take(lease):
            case Taken.RUN | Taken.STOP:
                latest = self._latest.get(grant.device, 0)
                stale = grant.generation < latest
                self._latest[grant.device] = max(grant.generation, latest)
                self._start(self._run(grant, lease, device, stale=stale))
            case Taken.REPORT:
                self._start(self._report(self._runs.report_of(lease)))
            case Taken.KNOWN:
                pass
        return True

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(
        self, grant: ResidencyGrant, lease: Lease, device: Device, *, stale: bool
    ) -> None:
        refusal = _refused(STALE_GENERATION, "a later change of the device came first")
        outcome = refusal if stale else await self._outcome(grant, device)
        told = outcome.code if isinstance(outcome, ResidencyRefused) else "done"
        telemetry.RESIDENCY_CHANGES.add(
            1, {"pointsman.device": grant.device, "pointsman.outcome": told}
        )
        _log.info(
            "residency_changed",
            device=grant.device,
            generation=grant.generation,
            unload=grant.unload,
            load=grant.load,
            outcome=told,
            message=outcome.message if isinstance(outcome, ResidencyRefused) else "",
        )
        report = ResidencyReport(
            executor=self._identity.executor,
            incarnation=self._identity.incarnation,
            device=grant.device,
            generation=grant.generation,
            outcome=outcome,
            residency=device.residency if device.serving else None,
        )
        ended = _Ended(lease.task, lease.attempt, report)
        self._runs.ended(ended)
        await self._report(ended)

    async def _report(self, ended: _Ended) -> None:
        await self._leader.residency(ended.report)
        self._runs.answered((ended.task, ended.attempt))

    async def _outcome(self, grant: ResidencyGrant, device: Device) -> ResidencyOutcome:
        timeout_s = grant.timeout_s or UNBOUNDED_S
        loop = asyncio.get_running_loop()
        until = loop.time() + timeout_s
        async with device.changing():
            if loop.time() >= until:
                return _refused(LOAD_TIMEOUT, f"its turn did not come within {timeout_s:g} s")
            return await self._within(until, timeout_s, grant, device)

    async def _within(
        self, until: float, timeout_s: float, grant: ResidencyGrant, device: Device
    ) -> ResidencyOutcome:
        try:
            async with asyncio.timeout_at(until):
                return await self._changed(grant, device, timeout_s)
        except TimeoutError:
            await _undo(grant, device)
            return _refused(LOAD_TIMEOUT, f"it was not done within {timeout_s:g} s")
        except EngineError as error:
            if error.device_lost:
                # Told first, so that the leader grants nothing more there.
                await device.lose(str(error))
                return _refused(DEVICE_LOST, str(error))
            await _undo(grant, device)
            return _refused(error.code, str(error))
        except Exception:  # noqa: BLE001 - logged with its traceback, and reported
            _log.exception("residency_change_failed", device=grant.device)
            return _refused("executor_error", "the executor failed; its log has the details")

    async def _changed(
        self, grant: ResidencyGrant, device: Device, timeout_s: float
    ) -> ResidencyOutcome:
        gang = [self._devices.get(name) for name in grant.members]
        refusal = _refusal(grant, device, gang)
        if refusal is not None:
            return refusal
        began = self._clock()
        unloads_s: dict[str, float] = {}
        for variant in grant.unload:
            await device.unload(variant, timeout_s=timeout_s)
            ended = self._clock()
            unloads_s[variant], began = ended - began, ended
        unload_s = sum(unloads_s.values())
        if not grant.load:
            return ResidencyDone(unload_s=unload_s, unloads_s=unloads_s)
        gpus = tuple(each.gpu for each in (device, *gang) if each and each.gpu is not None)
        await device.load(grant.load, gpus=gpus, timeout_s=timeout_s)
        loaded = self._clock()
        with suppress(EngineBusyError):
            await device.canary()
        return ResidencyDone(load_s=loaded - began, unload_s=unload_s, unloads_s=unloads_s)


def lease_of(grant: ResidencyGrant) -> Lease:
    """The lease that a change of a device's residency is."""
    return Lease(task=stream_id("device", grant.device), attempt=grant.generation)


def _refusal(
    grant: ResidencyGrant, device: Device, gang: Sequence[Device | None]
) -> ResidencyRefused | None:
    if device.mode is DeviceMode.FIXED:
        return _refused(
            FIXED_DEVICE,
            "the executor was started with fixed devices; set POINTSMAN_EXECUTOR_MODE to dedicated "
            "or shared",
        )
    if any(each is None or each.endpoint != device.endpoint for each in gang):
        return _refused(
            GANG_APART, "the devices of a gang have to stand on one engine of one executor"
        )
    if not all(each.serving for each in (device, *gang) if each):
        return _refused(DEVICE_LOST, "the device does not serve at present")
    busy = [variant for variant in grant.unload if device.calls_of(variant)]
    if busy:
        return _refused(IN_FLIGHT, f"calls are in flight on {', '.join(busy)}")
    return None


async def _undo(grant: ResidencyGrant, device: Device) -> None:
    """What has not become ready in its time must not become so unseen later."""
    if grant.load:
        with suppress(EngineError, TimeoutError):
            async with asyncio.timeout(UNDO_S):
                await device.unload(grant.load, timeout_s=UNDO_S)
    with suppress(EngineError):
        await device.refresh()


def _refused(code: str, message: str) -> ResidencyRefused:
    return ResidencyRefused(code=code, message=message)
