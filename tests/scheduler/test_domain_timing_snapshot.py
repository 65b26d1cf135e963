"""A pool with tasks that wait for others, restored from bytes while it goes on."""

from collections.abc import Sequence
from random import Random
from typing import Final
from uuid import UUID

import msgspec
from hypothesis import given as examples
from hypothesis import settings
from hypothesis import strategies as st

from pointsman.contracts.commands import CancelTask, Rejected, SubmitTask
from pointsman.contracts.decided import Decided
from pointsman.contracts.events import TaskTemplate
from pointsman.contracts.schedules import SetSchedule
from pointsman.scheduler.domain.admission.submitting import decide_submit
from pointsman.scheduler.domain.attempts.ends import decide_cancel, decide_report
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.rounds.granting import decide_round
from pointsman.scheduler.domain.schedules.decisions import decide_fired, decide_set
from pointsman.scheduler.domain.schedules.decisions import submission as made
from pointsman.scheduler.domain.snapshot.facts import restore
from pointsman.scheduler.domain.snapshot.pool_copy import PoolCopy, decode_facts, decode_tasks
from tests.support.pool_state import state
from tests.support.scheduling import (
    NOON,
    PAYLOAD,
    Entry,
    History,
    attached,
    folded,
    given,
    granted_events,
    model,
    report,
    submission,
)

KEY: Final = ("acme", "digest")


def a_day(seed: int) -> History:
    """Chains, bulks, sleepers and a schedule, some of which end badly."""
    random, history, now = Random(seed), given(model(), attached(slots=2)), NOON
    command = SetSchedule(
        command_id="set",
        tenant="acme",
        name="digest",
        cron="* * * * *",
        template=TaskTemplate(family="summarize"),
        payload=b"a",
        by="ada",
    )
    first = decide_set(history.pool, command, PAYLOAD, at=now)
    assert isinstance(first, Decided)
    assert history.record(first)
    tasks: list[UUID] = []
    for _ in range(40):
        now += random.choice([0.5, 5.0, 20.0])
        on = random.sample(list(history.pool.tasks), min(2, len(history.pool.tasks)))
        task = msgspec.structs.replace(
            submission(),
            depends_on=tuple(on) if random.random() < 0.6 else (),
            not_before=now + 10.0 if random.random() < 0.3 else None,
            bulk="backfill" if random.random() < 0.5 else None,
        )
        accept(history, tasks, task, now)
        due = history.pool.timetable[KEY].due(now)
        if due is not None:
            wanted = made(history.pool.timetable[KEY], due.time, at=now)
            assert wanted is not None
            accept(history, tasks, wanted, now)
            fired = decide_fired(history.pool, KEY, due, tasks[-1], at=now)
            if fired is not None and random.random() < 0.5:
                history.record(fired)
        step(history, random, now)
    return history


def accept(history: History, tasks: list[UUID], task: SubmitTask, now: float) -> None:
    decided = decide_submit(history.pool, task, PAYLOAD, at=now)
    if not isinstance(decided, Rejected):
        tasks.append(UUID(int=len(tasks) + 1))
        assert history.record(Decided(tasks[-1], 0, (decided,), "acme"))


def step(history: History, random: Random, now: float) -> None:
    for task, grant in granted_events(history.round(now)).items():
        if random.random() < 0.7:
            done = decide_report(history.pool, report(task, grant.attempt), at=now, draw=0.5)
            assert done is not None
            assert history.record(done)
    if random.random() < 0.15 and history.pool.tasks:
        task = random.choice(list(history.pool.tasks))
        command = CancelTask(command_id="c", task=task, by="ada")
        ended = decide_cancel(history.pool, command, at=now)
        assert ended is not None
        assert history.record(ended)


DAYS: Final = [a_day(seed) for seed in range(3)]


def fold(pool: Pool, entries: Sequence[Entry]) -> None:
    for entry in entries:
        pool.evolve(entry.position, entry.stream, entry.version, entry.event)


def copied(pool: Pool, meanwhile: Sequence[Entry]) -> Pool:
    """A pool from the bytes of a copy, during which the copied one goes on."""
    copy, left = PoolCopy(pool), list(meanwhile)
    slices: list[bytes] = []
    while (body := copy.next(2)) is not None:
        slices.append(body)
        fold(pool, left[:3])
        del left[:3]
    copy.end()
    fold(pool, left)
    new = Pool("main")
    tasks = [task for body in slices for task in decode_tasks(body, new.words)]
    restore(new, decode_facts(copy.facts), tasks)
    return new


@settings(max_examples=60, deadline=None)
@examples(day=st.sampled_from(DAYS), share=st.floats(0, 1))
def test_a_copy_and_the_rest_of_the_log_give_the_same_pool(day: History, share: float) -> None:
    cut = round(share * len(day.entries))
    known = folded(day.entries[:cut])
    at = (day.entries[cut - 1].event.at if cut else NOON) + 1.0

    restored = copied(folded(day.entries[:cut]), day.entries[cut:])

    assert decide_round(restored, at=at) == decide_round(known, at=at)
    fold(restored, day.entries[cut:])
    whole = folded(day.entries)
    assert state(restored, at + 7_200) == state(whole, at + 7_200)
    assert list(restored.dependencies.failures(at=at, applied_to=0)) == list(
        whole.dependencies.failures(at=at, applied_to=0)
    )
