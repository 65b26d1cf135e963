"""What follows from the end of a change of residency."""

from typing import Final

from pointsman.contracts.decided import Decided
from pointsman.contracts.events import Decision, ResidencyChanged, ResidencyFailed
from pointsman.contracts.leases import ResidencyDone, ResidencyReport
from pointsman.contracts.streams import stream_id
from pointsman.scheduler.domain.devices import Device
from pointsman.scheduler.domain.pool import Pool

RETRY_AFTER_S: Final = 30.0
"""After a failed load the same variant is not tried on the same device for so long."""


def decide_residency_report(pool: Pool, report: ResidencyReport, *, at: float) -> Decided | None:
    """The event that follows from a report; None if it is settled already.

    A report of another generation or incarnation than the last one changes nothing, nor does one
    that comes again. One that comes after its change was given up still says what the device has.
    """
    device = pool.devices.get(report.device)
    if device is None or device.generation != report.generation:
        return None
    if device.offer.incarnation != report.incarnation:
        return None
    change, outcome = device.changing, report.outcome
    if change is None:
        return _given_up(pool, device, report, at)
    event: Decision
    if isinstance(outcome, ResidencyDone):
        event = ResidencyChanged(
            at=at,
            applied_to=pool.applied_to,
            device=device.name,
            generation=report.generation,
            residency=report.residency or (),
            loaded=change.load,
            load_s=outcome.load_s,
            unload_s=outcome.unload_s,
            unloads_s=outcome.unloads_s,
        )
    else:
        event = ResidencyFailed(
            at=at,
            applied_to=pool.applied_to,
            device=device.name,
            generation=report.generation,
            code=outcome.code,
            message=outcome.message,
            residency=report.residency,
            retry_at=at + RETRY_AFTER_S,
        )
    return _of(pool, device, event)


def _given_up(pool: Pool, device: Device, report: ResidencyReport, at: float) -> Decided | None:
    if device.given_up != report.generation or report.residency is None:
        return None
    if set(report.residency) == set(device.residency):
        return None
    event = ResidencyChanged(
        at=at,
        applied_to=pool.applied_to,
        device=device.name,
        generation=report.generation,
        residency=report.residency,
    )
    return _of(pool, device, event)


def decide_residency_lost(pool: Pool, name: str, reason: str, *, at: float) -> Decided | None:
    """Nobody will report the change that a device is in."""
    device = pool.devices.get(name)
    if device is None or device.changing is None:
        return None
    event = ResidencyFailed(
        at=at,
        applied_to=pool.applied_to,
        device=name,
        generation=device.changing.generation,
        code=reason,
        message="its executor did not report how it ended",
        retry_at=at + RETRY_AFTER_S,
    )
    return _of(pool, device, event)


def _of(pool: Pool, device: Device, event: Decision) -> Decided:
    return pool.decided(stream_id("device", device.name), event)
