"""The log can say why: folded to the state that a round stood on, it decides the same again."""

import asyncio
import random
from collections import defaultdict
from collections.abc import Sequence

import pytest

from pointsman.contracts.events import Decision, SlotReleased, TaskExpired, TaskGranted
from pointsman.contracts.leases import Outcome, RunCompleted, RunFailed, RunTimedOut
from pointsman.contracts.message import PriorityClass
from pointsman.contracts.topics import EventCodec
from pointsman.scheduler.domain.granting import decide_round
from pointsman.testing.waiting import wait_until
from tests.support.leading import World, leading
from tests.support.pool_simulation import DEVICES, EXECUTOR_OF, Simulation, state
from tests.support.scheduling import RESULT, Entry, folded, report, submission

OUTCOMES: tuple[Outcome, ...] = (
    *[RunCompleted(result=RESULT, run_s=run_s) for run_s in (0.125, 0.25, 2.0)],
    RunFailed(code="unavailable", message="refused", retryable=True),
    RunFailed(code="unavailable", message="gone", retryable=True, device_lost=True),
    RunTimedOut(run_s=2.0),
)


def busy_day(seed: int, steps: int = 250) -> Simulation:
    """A pool under load, with failures of every kind; the same seed gives the same day."""
    draws = random.Random(seed)
    day = Simulation()
    for _ in range(steps):
        match draws.choices(range(7), weights=(30, 30, 20, 4, 3, 3, 10))[0]:
            case 0:
                day.submit(
                    draws.choice(["summarize", "classify"]),
                    draws.choice(list(PriorityClass)),
                    deadline_in_s=draws.choice([None, None, 0.5, 3.0, 60.0]),
                )
            case 1:
                day.round()
            case 2 if day.granted:
                day.report(*draws.choice(day.granted[-4:]), draws.choice(OUTCOMES))
            case 3 if day.accepted:
                day.cancel(draws.choice(day.accepted))
            case 4:
                ways = [day.restart, day.is_heard_again, day.falls_silent]
                draws.choices(ways, weights=(3, 3, 1))[0](draws.choice(sorted(DEVICES)))
            case 5:
                day.health(draws.choice(sorted(EXECUTOR_OF)), healthy=draws.random() < 0.7)
            case _:
                day.passes(draws.choice([0.125, 1.0, 10.0, 100.0]))
    return day


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
        day.pool.family("summarize")
        day.pool.run_times_of("unheard-of")

    assert decide_round(again, at=day.now + 2) == decide_round(day.pool, at=day.now + 2)
