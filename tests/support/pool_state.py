"""What can be read off a pool and off the history of a task."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from pointsman.contracts.events import (
    Decision,
    TaskAccepted,
    TaskCheckpointed,
    TaskGranted,
    TaskHedged,
    TaskPrepared,
)
from pointsman.contracts.task_states import TERMINAL, IllegalTransitionError, TaskState, next_state
from pointsman.scheduler.domain.load import sample_load
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.tasks import PREPARATION_S
from tests.support.scheduling import History


def state(pool: Pool, now: float) -> dict[str, object]:
    """Everything in a pool that a decision at `now` or later depends on."""
    # As a round looks at it: what only time changed is not for good, since a clock may be set back.
    with pool.waiting.released(now):
        waiting = {task.id for _, queue in pool.waiting.queues() for task in queue}
        load = sample_load(pool, at=now)
    retrying = {task.id for task in pool.tasks.values() if task.retry_at > now}
    return {
        "tasks": pool.tasks,
        "devices": pool.devices,
        "models": pool.models,
        "queued": pool.queued,
        "applied_to": pool.applied_to,
        "leader": (pool.epoch, pool.holder),
        "load": load,
        "waiting": waiting - retrying,
        "ends": (pool.dependencies.latest, pool.dependencies.earlier),
        "schedules": pool.timetable,
        "bulks": pool.bulks,
        "policy": (pool.policy.parameters, pool.policy.config, pool.policy.event),
        "hedges": pool.attempts.hedges.allowance,
        "sizes": sorted(pool.grounds.sizes.measured()),
        "habits": list(pool.grounds.habits.habits()),
        "routing": pool.grounds.rules,
        "run_times": {
            name: (pool.models.run_times_of(name).runs, pool.models.run_times_of(name).p50_s)
            for name in pool.models
        },
    }


def state_of(history: list[Decision]) -> TaskState:
    reached = TaskState.NEW
    for event in history:
        reached = next_state(reached, type(event))
    return reached


def ended(event: Decision) -> bool:
    try:
        return next_state(TaskState.GRANTED, type(event)) in TERMINAL
    except IllegalTransitionError:
        return False


def is_live(history: Sequence[Decision], attempt: int) -> bool:
    """Whether an attempt holds a lease, as the events of its task tell."""
    goes_on = (TaskGranted, TaskHedged, TaskCheckpointed)
    mine = [event for event in history if getattr(event, "attempt", None) == attempt]
    over = any(not isinstance(event, goes_on) for event in mine)
    return bool(mine) and not over and not any(ended(event) for event in history)


def check_grant(grant: TaskGranted, history: list[Decision]) -> None:
    """What must hold of every grant of the task with this history."""
    accepted = history[0]
    assert isinstance(accepted, TaskAccepted)
    assert grant.variant in accepted.variants
    waits = accepted.conversation is not None or accepted.cache
    prepared = any(isinstance(event, TaskPrepared) for event in history)
    if waits and not prepared and grant.attempt == 1:
        assert grant.at >= accepted.at + PREPARATION_S
    assert all(0 < cause.position <= grant.applied_to for cause in grant.explanation.causes)


def check_batches(grants: Mapping[UUID, TaskGranted], history: History) -> None:
    """What must hold of the calls that the grants of one round share."""
    batches: defaultdict[str, list[tuple[UUID, TaskGranted]]] = defaultdict(list)
    for task, grant in grants.items():
        if grant.batch is not None:
            batches[grant.batch.id].append((task, grant))
    for name, members in batches.items():
        places = {grant.batch for _, grant in members}
        accepted = [history.of(task)[0] for task, _ in members]
        tasks = [event for event in accepted if isinstance(event, TaskAccepted)]
        first, opener = members[0]
        assert name == f"{first}/{opener.attempt}"
        assert len(places) == 1
        assert len(members) == next(place.size for place in places if place is not None) > 1
        assert len({(grant.device, grant.variant, grant.at) for _, grant in members}) == 1
        assert len({(task.family, task.variants) for task in tasks}) == 1
        for tenant in {task.tenant for task in tasks}:
            keys = [task.key for task in tasks if task.tenant == tenant]
            assert keys == sorted(keys)
        for _, grant in members:
            assert grant.batch is not None
            assert len(members) <= grant.batch.most


def check_slots(
    pool: Pool,
    calls: Mapping[str, Collection[tuple[UUID, int]]],
    batch_of: Mapping[tuple[UUID, int], str],
) -> None:
    """Slots are the leased attempts and those whose calls may go on; no engine has more calls."""

    def slots(attempts: Collection[tuple[UUID, int]]) -> int:
        # Attempts that share a call take one slot.
        return len({batch_of.get(key, key) for key in attempts})

    leases = {
        (task.id, lease.attempt): lease.device
        for task in pool.tasks.values()
        for lease in task.leases
    }
    for name, device in pool.devices.items():
        taken = {**device.held, **device.suspect}
        assert set(device.held) == {key for key, where in leases.items() if where == name}
        assert not set(device.held) & set(device.suspect)
        assert set(calls[name]) <= set(taken)
        assert slots(calls[name]) <= device.occupied == slots(taken) <= device.offer.slots
        for variant in {*device.slots_of, *(slot.variant for slot in taken.values())}:
            of_variant = {key for key, slot in taken.items() if slot.variant == variant}
            assert device.in_flight(variant) == slots(of_variant)
            assert device.in_flight(variant) <= device.slots_of.get(variant, device.offer.slots)
