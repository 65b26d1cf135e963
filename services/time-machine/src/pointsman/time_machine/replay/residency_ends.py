"""Ends of changes of what is loaded, decided again from the outcome that was recorded."""

from pointsman.contracts import events
from pointsman.contracts.decided import Decided
from pointsman.contracts.leases import ResidencyDone, ResidencyRefused, ResidencyReport
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.residency.ends import (
    decide_residency_lost,
    decide_residency_report,
)
from pointsman.time_machine.replay.appends import Append


def residency_ended(
    pool: Pool, append: Append, event: events.ResidencyChanged | events.ResidencyFailed
) -> Decided | None:
    """The executor told how it ended, or nobody will."""
    if isinstance(event, events.ResidencyFailed) and event.residency is None:
        lost = decide_residency_lost(pool, event.device, event.code, at=event.at)
        if lost is not None and lost.events == append.events:
            return lost
    outcome = (
        ResidencyDone(load_s=event.load_s, unload_s=event.unload_s, unloads_s=event.unloads_s)
        if isinstance(event, events.ResidencyChanged)
        else ResidencyRefused(code=event.code, message=event.message)
    )
    device = pool.devices.get(event.device)
    if device is None or device.changing is None:
        return None
    # Who reported is not recorded; only the holder of the lease is listened to.
    report = ResidencyReport(
        executor=device.changing.executor,
        incarnation=device.changing.incarnation,
        device=event.device,
        generation=event.generation,
        outcome=outcome,
        residency=event.residency,
    )
    return decide_residency_report(pool, report, at=event.at)
