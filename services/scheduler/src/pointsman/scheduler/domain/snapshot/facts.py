"""What a snapshot keeps of a pool besides its tasks."""

from collections.abc import Iterable
from uuid import UUID

from pointsman.contracts import events
from pointsman.contracts.message import Message
from pointsman.policy.habits import Habit
from pointsman.policy.hold import Hold
from pointsman.policy.run_times import RunTimes
from pointsman.policy.task_sizes import Measured
from pointsman.scheduler.domain.devices import Device, DeviceStatus, Slot, SlotKey
from pointsman.scheduler.domain.influences import Influences, Standing
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.snapshot.endurance import (
    EnduranceFacts,
    endurance_facts,
    restore_endurance,
)
from pointsman.scheduler.domain.snapshot.steering import (
    SteeringFacts,
    restore_steering,
    steering_facts,
)
from pointsman.scheduler.domain.snapshot.timing import TimingFacts, restore_timing, timing_of
from pointsman.scheduler.domain.tasks import ClassId, OpenTask
from pointsman.scheduler.domain.waiting import Waiting

HeldSlot = tuple[UUID, int, Slot]
"""Task, attempt and what they occupy."""


class DeviceFacts(Message, frozen=True):
    """A `Device` at one moment."""

    offer: events.DeviceAttached
    status: DeviceStatus
    reason: str
    suspended_for: str
    last_variant: str | None
    held: tuple[HeldSlot, ...]
    suspect: tuple[HeldSlot, ...]
    residency: tuple[events.Residency, ...]
    generation: int
    changing: events.ResidencyGranted | None
    fresh: bool
    not_before: dict[str, float]
    used_of: dict[str, float]
    used_at: float
    credit_spent_s: float
    gang: tuple[str, ...]
    gang_of: str
    member_of: str
    draining: bool


class RunTimesFacts(Message, frozen=True):
    """Runs ever counted and the window that quantiles come from, oldest first."""

    runs: int
    window: tuple[float, ...]


class TimesFacts(Message, frozen=True):
    """`ClassTimes` of a variant."""

    runs: RunTimesFacts
    totals: tuple[int, float, float, float]


class WaitingFacts(Message, frozen=True):
    """What of `Waiting` does not follow from the tasks."""

    counters: tuple[tuple[str, float], ...]
    """By tenant, in the order that breaks ties."""
    last_s: float
    holds: tuple[tuple[ClassId, str, float, float], ...]
    """Class, device, since and until."""
    since: tuple[tuple[ClassId, float, int], ...]
    """Classes that wait for a device."""


class InfluenceFacts(Message, frozen=True):
    """`Influences` at one moment."""

    level: Standing[events.LevelChanged] | None
    boost: Standing[events.PriorityBoosted] | None
    fallbacks: dict[str, Standing[events.FallbackStarted]]
    preferences: dict[str, Standing[events.PreferenceChanged]]
    thresholds: dict[str, Standing[events.QualityThresholdMoved]]
    samples: dict[str, events.DeviceSampled]
    canaries: dict[str, Standing[events.CanaryChanged]]
    forecasts: dict[str, events.ForecastMade]


class PoolFacts(Message, frozen=True):
    """Everything of a `Pool` but its tasks, from which queues and timers follow."""

    name: str
    epoch: int
    holder: str
    applied_to: int
    tasks: int
    """How many there are."""
    versions: dict[str, int]
    """By stream."""
    accepted_of: dict[str, int]
    devices: tuple[DeviceFacts, ...]
    models: tuple[events.ModelRegistered, ...]
    times: dict[str, TimesFacts]
    runs: RunTimesFacts
    waiting: WaitingFacts
    added_times: dict[str, RunTimesFacts]
    turnaround: RunTimesFacts
    influences: InfluenceFacts
    timing: TimingFacts
    routing: events.RoutingChanged | None
    sizes: tuple[Measured, ...]
    habits: tuple[Habit, ...]
    steering: SteeringFacts
    endurance: EnduranceFacts
    policy: events.PolicySet | None


def restore(pool: Pool, facts: PoolFacts, tasks: Iterable[OpenTask]) -> None:
    """Make a pool that has folded nothing what `facts` and `tasks` say."""
    pool.epoch, pool.holder, pool.applied_to = facts.epoch, facts.holder, facts.applied_to
    pool.versions = {UUID(stream): version for stream, version in facts.versions.items()}
    pool.accepted_of.update(facts.accepted_of)
    for model in facts.models:
        pool.models.register(model)
    for variant, known in facts.times.items():
        times = pool.models.times_of(variant)
        times.runs.restore(known.runs.runs, known.runs.window)
        times.restore(known.totals)
    pool.models.runs.restore(facts.runs.runs, facts.runs.window)
    for variant, runs in facts.added_times.items():
        pool.models.added_times_of(variant).restore(runs.runs, runs.window)
    pool.turnaround.restore(facts.turnaround.runs, facts.turnaround.window)
    pool.devices.update({device.offer.device: _device(device) for device in facts.devices})
    _influence(pool.influences, facts.influences)
    pool.grounds.restore(facts.routing, facts.sizes, facts.habits)
    restore_steering(pool.steering, facts.steering)
    restore_endurance(pool, facts.endurance)
    pool.policy.restore(facts.policy)
    restore_timing(pool, facts.timing)
    for device in pool.devices.values():
        pool.waiting.classes.take_notice(device, 0.0)
    # Dictionaries keep the order in which tasks were accepted.
    for task in sorted(tasks, key=lambda task: task.position):
        pool.adopt(task, task.accepted.at)
    _wait(pool.waiting, facts.waiting)


def facts_of(pool: Pool) -> PoolFacts:
    """Everything but the tasks, as it is now."""
    return PoolFacts(
        name=pool.name,
        epoch=pool.epoch,
        holder=pool.holder,
        applied_to=pool.applied_to,
        tasks=len(pool.tasks),
        versions={stream.hex: version for stream, version in pool.versions.items()},
        accepted_of=dict(pool.accepted_of),
        devices=tuple(_device_facts(device) for device in pool.devices.values()),
        models=tuple(pool.models.values()),
        times={
            variant: TimesFacts(runs=_run_times(times.runs), totals=times.totals)
            for variant, times in pool.models.times().items()
        },
        runs=_run_times(pool.models.runs),
        waiting=_waiting(pool.waiting),
        added_times={
            variant: _run_times(times) for variant, times in pool.models.added_times().items()
        },
        turnaround=_run_times(pool.turnaround),
        influences=_influence_facts(pool.influences),
        timing=timing_of(pool),
        routing=pool.grounds.rules,
        sizes=tuple(pool.grounds.sizes.measured()),
        habits=tuple(pool.grounds.habits.habits()),
        steering=steering_facts(pool.steering),
        endurance=endurance_facts(pool),
        policy=pool.policy.event,
    )


def _run_times(times: RunTimes) -> RunTimesFacts:
    return RunTimesFacts(runs=times.runs, window=times.window)


def _waiting(waiting: Waiting) -> WaitingFacts:
    counters, last_s = waiting.counters.totals
    return WaitingFacts(
        counters=counters,
        last_s=last_s,
        holds=tuple(
            (class_id, hold.device, hold.since, hold.until)
            for class_id, queue in sorted(waiting.queues())
            if (hold := queue.hold) is not None
        ),
        since=tuple(
            (class_id, *entry)
            for class_id, _ in sorted(waiting.queues())
            if (entry := waiting.classes.wait_of(class_id)) is not None
        ),
    )


def _wait(waiting: Waiting, facts: WaitingFacts) -> None:
    waiting.counters.resume(facts.counters, facts.last_s)
    for class_id, device, since, until in facts.holds:
        waiting.queue_of(class_id).hold = Hold(device, class_id, since=since, until=until)
    for class_id, since, number in facts.since:
        waiting.queue_of(class_id)
        waiting.classes.wait_since(class_id, since, number)


def _device_facts(device: Device) -> DeviceFacts:
    return DeviceFacts(
        offer=device.offer,
        status=device.status,
        reason=device.reason,
        suspended_for=device.suspended_for,
        last_variant=device.last_variant,
        held=_held(device.held),
        suspect=_held(device.suspect),
        residency=device.residency,
        generation=device.generation,
        changing=device.changing,
        fresh=device.fresh,
        not_before=device.not_before,
        used_of=device.used_of,
        used_at=device.used_at,
        credit_spent_s=device.credit.spent_s,
        gang=device.gang,
        gang_of=device.gang_of,
        member_of=device.member_of,
        draining=device.draining,
    )


def _held(slots: dict[SlotKey, Slot]) -> tuple[HeldSlot, ...]:
    return tuple((task, attempt, slot) for (task, attempt), slot in slots.items())


def _slots(held: Iterable[HeldSlot]) -> dict[SlotKey, Slot]:
    return {(task, attempt): slot for task, attempt, slot in held}


def _device(facts: DeviceFacts) -> Device:
    device = Device(
        offer=facts.offer,
        status=facts.status,
        reason=facts.reason,
        suspended_for=facts.suspended_for,
        last_variant=facts.last_variant,
        held=_slots(facts.held),
        suspect=_slots(facts.suspect),
        residency=facts.residency,
        generation=facts.generation,
        changing=facts.changing,
        fresh=facts.fresh,
        not_before=facts.not_before,
        used_of=facts.used_of,
        used_at=facts.used_at,
        gang=facts.gang,
        gang_of=facts.gang_of,
        member_of=facts.member_of,
        draining=facts.draining,
    )
    device.credit.restore(facts.credit_spent_s)
    return device


def _influence_facts(influences: Influences) -> InfluenceFacts:
    return InfluenceFacts(
        level=influences.standing_level,
        boost=influences.standing_boost,
        fallbacks=influences.fallbacks,
        preferences=influences.preferences,
        thresholds=influences.thresholds,
        samples=influences.samples,
        canaries=influences.canaries,
        forecasts=influences.forecasts,
    )


def _influence(influences: Influences, facts: InfluenceFacts) -> None:
    influences.standing_level, influences.standing_boost = facts.level, facts.boost
    influences.fallbacks.update(facts.fallbacks)
    influences.preferences.update(facts.preferences)
    influences.thresholds.update(facts.thresholds)
    influences.samples.update(facts.samples)
    influences.canaries.update(facts.canaries)
    influences.forecasts.update(facts.forecasts)
