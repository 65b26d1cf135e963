"""The log can say why: folded to the state that a round stood on, it decides the same again."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence

import pytest

from pointsman.contracts.events import Decision, SlotReleased, TaskExpired, TaskGranted
from pointsman.contracts.topics import EventCodec
from pointsman.scheduler.domain.rounds.granting import decide_round
from pointsman.scheduler.domain.tasks import PREPARATION_S
from pointsman.testing.waiting import wait_until
from tests.support.busy_day import busy_day
from tests.support.leading import World, leading
from tests.support.pool_state import state
from tests.support.scheduling import (
    NOON,
    A,
    Entry,
    accepted,
    attached,
    folded,
    given,
    model,
    report,
    submission,
)


def rounds(entries: Sequence[Entry]) -> dict[tuple[int, float], list[Decision]]:
    """Decisions of rounds by the state and the time that they stood on, in log order."""
    found: defaultdict[tuple[int, float], list[Decision]] = defaultdict(list)
    for entry in entries:
        event = entry.event
        released = isinstance(event, SlotReleased) and event.reason == "run_deadline_over"
        if released or isinstance(event, TaskGranted | TaskExpired):
            found[event.applied_to, event.at].append(event)
    return dict(found)


@pytest.mark.parametrize("seed", range(3))
def test_every_recorded_round_is_decided_again_from_the_log_alone(seed: int) -> None:
    entries = busy_day(seed).history.entries
    recorded = rounds(entries)

    for (applied_to, at), decisions in recorded.items():
        pool = folded(entries, up_to=applied_to)

        again = [event for item in decide_round(pool, at=at) for event in item.events]

        assert pool.applied_to == applied_to
        assert again == decisions

    kinds = {type(event) for decisions in recorded.values() for event in decisions}
    assert kinds == {TaskGranted, TaskExpired, SlotReleased}
    assert len(recorded) > 20


def test_a_busy_day_has_grants_that_something_else_turned() -> None:
    entries = [entry for seed in range(3) for entry in busy_day(seed).history.entries]
    grants = [entry.event for entry in entries if isinstance(entry.event, TaskGranted)]

    causes = {cause.topic for grant in grants for cause in grant.explanation.causes}

    assert {grant.explanation.level for grant in grants} >= {"", "conserve", "degrade"}
    assert "degradation.level_changed.v1" in causes
    assert "quality.preference_changed.v1" in causes


def test_a_grant_after_a_time_of_waiting_is_folded_without_any_clock() -> None:
    history = given(model(), attached(), (A, accepted(conversation="c-1")))
    history.round(NOON + PREPARATION_S)

    again = folded(history.entries)

    assert again.tasks[A].lease == history.pool.tasks[A].lease
    assert again.queued == 0


async def test_the_rounds_of_a_working_leader_are_decided_again() -> None:
    world, codec = World(), EventCodec()
    async with leading(world, slots=3) as here:
        for n in range(24):
            await here.submissions.submit(submission(command_id=f"order-{n}"), door="command")
        reported = 0
        while here.pool.tasks:
            await wait_until(lambda: len(world.orders.grants) > reported)  # noqa: B023 - asked now
            grants = world.orders.grants[reported:]
            reported += len(grants)
            world.clock.passes(1)
            await asyncio.gather(
                *(here.leader.report(report(grant.task, grant.attempt)) for grant in grants)
            )

    entries = [
        Entry(item.position, item.stream, item.version, codec.decode(item.type, bytes(item.data)))
        for item in await world.store.read(0)
    ]
    recorded = rounds(entries)
    for (applied_to, at), decisions in recorded.items():
        decided = decide_round(folded(entries, up_to=applied_to), at=at)
        assert [event for item in decided for event in item.events] == decisions
    assert sum(len(decisions) for decisions in recorded.values()) == 24


def test_every_decision_stands_on_the_log_before_it() -> None:
    entries = busy_day(3).history.entries

    for entry in entries[5:]:
        assert 0 <= entry.event.applied_to < entry.position


@pytest.mark.parametrize("seed", range(3))
def test_a_fold_from_scratch_gives_the_same_state_and_the_same_next_round(seed: int) -> None:
    day = busy_day(seed, steps=150)

    again = folded(day.history.entries)

    assert state(again, day.now) == state(day.pool, day.now)
    assert decide_round(again, at=day.now + 1) == decide_round(day.pool, at=day.now + 1)


def test_asking_does_not_change_what_is_decided() -> None:
    day = busy_day(4, steps=150)
    again = folded(day.history.entries)

    for later in (0.0, 0.5, 1.0):
        decide_round(day.pool, at=day.now + later)
        day.pool.models.family("summarize")
        day.pool.models.run_times_of("unheard-of")

    assert decide_round(again, at=day.now + 2) == decide_round(day.pool, at=day.now + 2)
