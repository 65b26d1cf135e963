"""A pool that was restored from bytes is the pool that the log folds to."""

from collections.abc import Sequence

import pytest
from hypothesis import given as examples
from hypothesis import settings
from hypothesis import strategies as st

from pointsman.contracts.leases import RunCompleted
from pointsman.scheduler.domain.attempts.ends import decide_report
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.rounds.granting import decide_round
from pointsman.scheduler.domain.snapshot.facts import facts_of, restore
from pointsman.scheduler.domain.snapshot.pool_copy import (
    PoolCopy,
    UnreadableSnapshotError,
    decode_facts,
    decode_tasks,
    snapshot_format,
)
from pointsman.scheduler.domain.tasks import PREPARATION_S
from tests.support.busy_day import busy_day
from tests.support.pool_state import state
from tests.support.scheduling import (
    NOON,
    RESULT,
    A,
    B,
    C,
    Entry,
    accepted,
    attached,
    folded,
    given,
    model,
    report,
)

DAY = busy_day(seed=7)
ENTRIES = DAY.history.entries
TOOK_LONG = RunCompleted(result=RESULT, run_s=50.0)


def fold(pool: Pool, entries: Sequence[Entry]) -> None:
    for entry in entries:
        pool.evolve(entry.position, entry.stream, entry.version, entry.event)


def restored(facts: bytes, slices: Sequence[bytes]) -> Pool:
    pool = Pool("main")
    tasks = [task for body in slices for task in decode_tasks(body, pool.words)]
    restore(pool, decode_facts(facts), tasks)
    return pool


def copied(pool: Pool, meanwhile: Sequence[Entry] = (), *, limit: int = 3) -> Pool:
    """A pool from the bytes of a copy, during which the copied one goes on."""
    copy, goes_on = PoolCopy(pool), iter(meanwhile)
    slices: list[bytes] = []
    while (body := copy.next(limit)) is not None:
        slices.append(body)
        fold(pool, [entry for _, entry in zip(range(limit), goes_on, strict=False)])
    copy.end()
    fold(pool, list(goes_on))
    return restored(copy.facts, slices)


@settings(max_examples=60, deadline=None)
@examples(cut=st.integers(0, len(ENTRIES)), limit=st.integers(1, 9))
def test_a_copy_at_any_position_and_the_rest_of_the_log_give_the_same_pool(
    cut: int, limit: int
) -> None:
    live = folded(ENTRIES[:cut])

    pool = copied(live, ENTRIES[cut:], limit=limit)
    fold(pool, ENTRIES[cut:])

    assert state(pool, DAY.now) == state(folded(ENTRIES), DAY.now)
    assert state(pool, DAY.now) == state(live, DAY.now)
    assert list(pool.tasks) == list(live.tasks)


@settings(max_examples=60, deadline=None)
@examples(cut=st.integers(0, len(ENTRIES)), later=st.sampled_from([-60.0, 0.0, 2.0, 600.0]))
def test_a_restored_pool_decides_the_same_rounds(cut: int, later: float) -> None:
    known = folded(ENTRIES[:cut])
    at = (ENTRIES[cut - 1].event.at if cut else NOON) + later

    decided = decide_round(copied(folded(ENTRIES[:cut])), at=at)

    assert decided == decide_round(known, at=at)


def test_a_snapshot_keeps_every_part_of_a_pool() -> None:
    known = folded(ENTRIES)

    pool = copied(folded(ENTRIES))

    # What a pool is made of; whatever joins it must be kept, or follow from what is kept.
    assert set(vars(pool)) == {
        *("name", "epoch", "holder", "applied_to", "tasks", "waiting", "devices", "models"),
        *("influences", "steering", "grounds", "dependencies", "parts", "bulks", "timetable"),
        *("breakers", "batch_limits", "accepted_of", "turnaround", "queued", "queued_of"),
        *("versions", "before_change", "words", "_mine", "_changes"),
        *("policy", "attempts", "slow_attempts"),
    }
    assert facts_of(pool) == facts_of(known)
    assert pool.devices == known.devices
    assert pool.queued_of == known.queued_of
    assert vars(pool.influences).keys() == vars(known.influences).keys()
    assert {name: value for name, value in vars(pool.influences).items() if name != "_changes"} == {
        name: value for name, value in vars(known.influences).items() if name != "_changes"
    }


def test_a_task_that_ends_while_it_is_copied_is_in_the_copy_as_it_was() -> None:
    history = given(model(), attached(), (A, accepted()), (B, accepted()))
    copy = PoolCopy(history.pool)
    history.round(NOON)

    first = copy.next(1)
    second = copy.next(5)

    assert copy.next(5) is None
    assert first is not None
    assert second is not None
    pool = restored(copy.facts, (first, second))
    assert {task.state.value for task in pool.tasks.values()} == {"queued"}
    assert history.pool.queued == 1


def test_a_tenant_whose_task_has_slept_before_the_copy_is_not_lifted_to_the_others_again() -> None:
    history = given(
        model(),
        attached(),
        (A, accepted()),
        (B, accepted(tenant="zeta", conversation="c-1")),
    )
    history.round(NOON)
    later = NOON + PREPARATION_S + 1
    history.append(C, accepted(at=later))
    ended = decide_report(history.pool, report(A, 1, TOOK_LONG), at=later, draw=0.5)
    assert ended is not None
    assert history.record(ended)

    pool = copied(history.pool)
    for each in (pool, history.pool):
        each.waiting.release(later + 1)

    assert facts_of(pool) == facts_of(history.pool)
    assert pool.waiting.counters.of("zeta") < TOOK_LONG.run_s


@pytest.mark.parametrize("body", [b"", b"\xc1", b"\x93\x01\x02\x03"])
def test_bytes_that_are_no_snapshot_are_refused(body: bytes) -> None:
    with pytest.raises(UnreadableSnapshotError):
        decode_facts(body)
    with pytest.raises(UnreadableSnapshotError):
        decode_tasks(body, Pool("main").words)


def test_the_format_tells_fields_and_meaning_apart() -> None:
    meaning, _, fields = snapshot_format().partition("-")

    assert int(meaning) >= 1
    assert len(fields) == 16
