"""What operators have asked for outlives a scheduler that starts from a snapshot."""

from collections.abc import Sequence
from uuid import UUID, uuid5

import msgspec
import pytest

from pointsman.contracts.events import DeviceMode, Residency, ScopeKind
from pointsman.contracts.message import PriorityClass
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.rounds.granting import decide_round
from pointsman.scheduler.domain.snapshot.facts import restore
from pointsman.scheduler.domain.snapshot.pool_copy import PoolCopy, decode_facts, decode_tasks
from pointsman.scheduler.domain.steering.agreed import Steering
from tests.support.pool_state import state
from tests.support.scheduling import NOON, A, Entry, accepted, attached, folded, given, model
from tests.support.steering import (
    boost,
    drain,
    hold,
    limit,
    load,
    move,
    pause,
    release,
    resume,
    set_tenant,
    steered,
)

TASKS = [uuid5(A, str(number)) for number in range(8)]


def a_steered_day() -> Sequence[Entry]:
    history = given(
        model("best", quality=0.9),
        model("fast"),
        attached("cpu-0", slots=2, variants=("best", "fast")),
        msgspec.structs.replace(
            attached("gpu-0", variants=()),
            mode=DeviceMode.DEDICATED,
            loadable=(Residency(variant="fast", slots=1),),
        ),
    )
    for number, task in enumerate(TASKS):
        tenant = ("acme", "globex")[number % 2]
        history.append(task, accepted(variants=("best", "fast"), tenant=tenant, at=NOON + number))
    at = NOON + 10
    for command in (
        hold(TASKS[0]),
        hold(TASKS[1]),
        boost(TASKS[5], 20.0),
        set_tenant("globex", weight=3.0, running=1, queued=9),
        set_tenant("globex", queued=7),
        pause(ScopeKind.MODEL, "best"),
        pause(ScopeKind.TENANT, "initech"),
    ):
        steered(history, command, at=at)
        history.round(at)
        at += 1
    for command in (
        release(TASKS[1]),
        move(TASKS[6], PriorityClass.INTERACTIVE),
        limit("fast", 2),
        drain("cpu-0"),
        load("fast", "gpu-0"),
        resume(ScopeKind.TENANT, "initech"),
        pause(ScopeKind.FAMILY, "summarize"),
    ):
        steered(history, command, at=at)
        history.round(at)
        at += 1
    return history.entries


ENTRIES = a_steered_day()


def restored(known: Pool) -> Pool:
    copy = PoolCopy(known)
    slices: list[bytes] = []
    while (body := copy.next(3)) is not None:
        slices.append(body)
    copy.end()
    pool = Pool("main")
    tasks = [task for body in slices for task in decode_tasks(body, pool.words)]
    restore(pool, decode_facts(copy.facts), tasks)
    return pool


def told(steering: Steering) -> tuple[object, ...]:
    """Everything that holds."""
    return (
        steering.pauses,
        steering.drains,
        steering.limits,
        steering.tenants,
        steering.bounds,
        [*steering.asks],
    )


@pytest.mark.parametrize("cut", range(len(ENTRIES) + 1))
def test_a_restored_pool_is_steered_as_the_log_says(cut: int) -> None:
    known = folded(ENTRIES[:cut])

    pool = restored(folded(ENTRIES[:cut]))
    at = NOON + 60

    assert told(pool.steering) == told(known.steering)
    assert pool.queued_of == known.queued_of
    assert decide_round(pool, at=at) == decide_round(known, at=at)


def test_a_restored_pool_goes_on_with_the_rest_of_the_log() -> None:
    for cut in range(len(ENTRIES)):
        pool = restored(folded(ENTRIES[:cut]))

        for entry in ENTRIES[cut:]:
            pool.evolve(entry.position, entry.stream, entry.version, entry.event)

        assert state(pool, NOON + 60) == state(folded(ENTRIES), NOON + 60)
        assert told(pool.steering) == told(folded(ENTRIES).steering)


def test_the_day_has_something_of_everything() -> None:
    pool = folded(ENTRIES)

    assert all(told(pool.steering))
    held: set[UUID] = {task.id for task in pool.tasks.values() if task.held}
    rekeyed = {task.id for task in pool.tasks.values() if task.rekeyed is not None}
    assert held == {TASKS[0]}
    assert rekeyed == {TASKS[5], TASKS[6]}
