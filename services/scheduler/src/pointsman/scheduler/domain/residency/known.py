"""What the choice of a class is told of a pool at one moment."""

from collections.abc import Collection, Hashable, Iterator, Sequence

from pointsman.policy.class_choice import Fleet
from pointsman.scheduler.domain.devices import Device
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.rounds.gates import Gates


def fleet_of(
    pool: Pool,
    gates: Gates,
    devices: Sequence[Device],
    barred: Collection[Hashable],
    no_tenants: Collection[str],
    at: float,
) -> Fleet:
    """Its devices and times, and of what nothing starts: `barred` classes, and tenants."""
    parameters = pool.policy.parameters
    # A log of before waits for whoever has a model, also where he takes nothing.
    knows = not parameters.unserved_patience_loads
    return Fleet(
        len(devices) or 1,
        *pool.models.swap_s,
        pool.models.runs.p99_s,
        parameters,
        {*barred, *_kept_back(pool, no_tenants, at)},
        {each.name for each in devices if knows and gates.device_refused(each) is not None},
    )


def _kept_back(pool: Pool, no_tenants: Collection[str], at: float) -> Iterator[Hashable]:
    """Classes in which only tenants wait of whom nothing starts."""
    for class_id, queue in pool.waiting.queues() if no_tenants else ():
        if queue.next(pool.waiting.counters, at, no_tenants) is None:
            yield class_id
