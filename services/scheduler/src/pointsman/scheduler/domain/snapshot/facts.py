"""What a snapshot keeps of a pool besides its tasks."""

from collections.abc import Iterable
from math import inf
from operator import itemgetter
from uuid import UUID

from pointsman.contracts import events
from pointsman.contracts.message import Message
from pointsman.policy.habits import Habit
from pointsman.policy.hold import Hold
from pointsman.policy.run_times import RunTimes
from pointsman.policy.task_sizes import Measured
from pointsman.scheduler.domain.influences import Influences, Standing
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.snapshot.devices import DeviceFacts, device_facts, restore_device
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
from pointsman.scheduler.domain.snapshot.timing import TimingFacts, restore_timing, timing_facts
from pointsman.scheduler.domain.tasks import ClassId, OpenTask
from pointsman.scheduler.domain.waiting import Waiting


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
    unloads: tuple[dict[str, tuple[int, float]], float]
    """Unloads and seconds by variant, and the seconds of all."""
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
    pool.models.unloads.restore(*facts.unloads)
    pool.models.runs.restore(facts.runs.runs, facts.runs.window)
    for variant, runs in facts.added_times.items():
        pool.models.added_times_of(variant).restore(runs.runs, runs.window)
    pool.turnaround.restore(facts.turnaround.runs, facts.turnaround.window)
    pool.devices.update({device.offer.device: restore_device(device) for device in facts.devices})
    _restore_influences(pool.influences, facts.influences)
    pool.grounds.restore(facts.routing, facts.sizes, facts.habits)
    restore_steering(pool.steering, facts.steering)
    restore_endurance(pool, facts.endurance)
    pool.policy.restore(facts.policy)
    restore_timing(pool, facts.timing)
    for device in pool.devices.values():
        pool.waiting.classes.take_notice(device, 0.0)
    # Dictionaries keep the order in which tasks were accepted.
    for task in sorted(tasks, key=lambda task: task.position):
        # Whether its moment has come stands with it: no clock is asked again.
        pool.adopt(task, max(task.accepted.at, task.retry_at) if task.woken else -inf)
    _restore_waiting(pool.waiting, facts.waiting)


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
        devices=tuple(device_facts(device) for device in pool.devices.values()),
        models=tuple(pool.models.values()),
        times={
            variant: TimesFacts(runs=_run_times(times.runs), totals=times.totals)
            for variant, times in pool.models.times().items()
        },
        unloads=(dict(pool.models.unloads.totals), pool.models.unloads.seconds),
        runs=_run_times(pool.models.runs),
        waiting=_waiting_facts(pool.waiting),
        added_times={
            variant: _run_times(times) for variant, times in pool.models.added_times().items()
        },
        turnaround=_run_times(pool.turnaround),
        influences=_influence_facts(pool.influences),
        timing=timing_facts(pool),
        routing=pool.grounds.rules,
        sizes=tuple(pool.grounds.sizes.measured()),
        habits=tuple(pool.grounds.habits.habits()),
        steering=steering_facts(pool.steering),
        endurance=endurance_facts(pool),
        policy=pool.policy.event,
    )


def _run_times(times: RunTimes) -> RunTimesFacts:
    return RunTimesFacts(runs=times.runs, window=times.window)


def _waiting_facts(waiting: Waiting) -> WaitingFacts:
    counters, last_s = waiting.counters.totals
    return WaitingFacts(
        counters=counters,
        last_s=last_s,
        holds=tuple(
            (class_id, hold.device, hold.since, hold.until)
            for class_id, hold in sorted(waiting.holds(), key=itemgetter(0))
        ),
        since=tuple(
            (class_id, *entry)
            for class_id, _ in sorted(waiting.queues())
            if (entry := waiting.classes.wait_of(class_id)) is not None
        ),
    )


def _restore_waiting(waiting: Waiting, facts: WaitingFacts) -> None:
    waiting.counters.resume(facts.counters, facts.last_s)
    for class_id, device, since, until in facts.holds:
        waiting.queue_of(class_id).hold = Hold(device, class_id, since=since, until=until)
    for class_id, since, number in facts.since:
        waiting.queue_of(class_id)
        waiting.classes.wait_since(class_id, since, number)


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


def _restore_influences(influences: Influences, facts: InfluenceFacts) -> None:
    influences.standing_level, influences.standing_boost = facts.level, facts.boost
    influences.fallbacks.update(facts.fallbacks)
    influences.preferences.update(facts.preferences)
    influences.thresholds.update(facts.thresholds)
    influences.samples.update(facts.samples)
    influences.canaries.update(facts.canaries)
    influences.forecasts.update(facts.forecasts)
