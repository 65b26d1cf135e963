"""What follows from ratings and behaviour, recorded once."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from uuid import uuid4

import pytest

from pointsman.contracts.commands import Done
from pointsman.contracts.events import (
    BehaviourMeasured,
    ContextPoolGrown,
    Decision,
    PreferenceChanged,
    PriorityBoosted,
    QualityMeasured,
    QualityThresholdMoved,
)
from pointsman.contracts.feedback import ShowFeedback, WithdrawFeedback
from pointsman.eventstore.ports import Append, AppendAnswer
from pointsman.testing.memory_event_store import MemoryEventStore
from pointsman.testing.waiting import wait_until
from tests.feedback.world import (
    BAD,
    GOOD,
    Feedback,
    accepted,
    attempt_failed,
    cancelled,
    completed,
    failed,
    feedback,
    granted,
    prepared,
    rating,
    registered,
)

MODELS = (registered("large", 0.9), registered("small", 0.6))


@pytest.fixture
async def here(tmp_path: Path) -> AsyncGenerator[Feedback]:
    async with feedback(tmp_path) as running:
        await running.register(*MODELS)
        yield running


async def rate_well_and_badly(here: Feedback) -> None:
    """The registry's second is rated better, with 100 ratings each."""
    for _ in range(10):
        await here.rate("large", GOOD, 5)
        await here.rate("large", BAD, 5)
        await here.rate("small", GOOD, 9)
        await here.rate("small", BAD, 1)


async def undo(here: Feedback, **chosen: object) -> None:
    command = WithdrawFeedback(command_id=str(uuid4()), by="eve", **chosen)  # pyright: ignore[reportArgumentType]  # every test gives some fields
    assert isinstance(await here.withdrawing.withdraw(command), Done)


async def test_measured_quality_follows_the_ratings(here: Feedback) -> None:
    await here.rate("large", GOOD, 3)
    await here.rate("large", 0.5)

    await here.learn()
    await here.learn()

    (event,) = await here.history(QualityMeasured)
    assert (event.family, event.measured.variant) == ("summarize", "large")
    assert (event.measured.ratings, event.measured.mean) == (4, 0.875)
    assert event.measured.low < 0.875 < event.measured.high


async def test_a_preference_turns_and_is_turned_back_by_undo(here: Feedback) -> None:
    await rate_well_and_badly(here)
    await here.learn()
    (turned,) = await here.history(PreferenceChanged)

    await undo(here, family="summarize")
    await here.learn()

    (_, back) = await here.history(PreferenceChanged)
    assert (turned.before, turned.order) == ((), ("small", "large"))
    assert turned.reason.startswith("small (0.90, ")
    assert [each.ratings for each in turned.measured] == [100, 100]
    assert (back.before, back.order) == (("small", "large"), ())
    assert [each.measured.ratings for each in await here.history(QualityMeasured)][-2:] == [0, 0]


async def test_undoing_a_part_leaves_what_the_rest_would_have_taught(here: Feedback) -> None:
    await rate_well_and_badly(here)
    await here.learn()
    since = here.clock.wall() + 1
    here.clock.passes(10)
    await here.rate("small", BAD, 200)
    await here.learn()
    assert here.learned.order("summarize") == ()

    await undo(here, family="summarize", since=since)
    await here.learn()

    assert here.learned.order("summarize") == ("small", "large")


async def test_a_family_that_the_registry_does_not_know_has_no_preference(
    tmp_path: Path,
) -> None:
    async with feedback(tmp_path) as here:
        await rate_well_and_badly(here)

        await here.learn()

        assert await here.history(PreferenceChanged) == []


async def test_a_preference_ends_when_the_registry_agrees(here: Feedback) -> None:
    await rate_well_and_badly(here)
    await here.learn()

    await here.register(registered("small", 0.95))
    await here.learn()

    assert [event.order for event in await here.history(PreferenceChanged)] == [
        ("small", "large"), (),
    ]  # fmt: skip


async def test_a_threshold_follows_the_average_of_the_family(here: Feedback) -> None:
    await here.rate("large", 0.8, 19)
    await here.learn()
    assert await here.history(QualityThresholdMoved) == []

    await here.rate("large", 0.8)
    await here.learn()
    await here.rate("large", 0.4, 100)
    await here.learn()
    await undo(here, family="summarize")
    await here.learn()

    moved = await here.history(QualityThresholdMoved)
    assert [(event.before, event.threshold) for event in moved] == [
        (0.0, 0.4), (0.4, 0.2), (0.2, 0.0),
    ]  # fmt: skip
    assert moved[0].average == pytest.approx(0.8)


async def end(here: Feedback, count: int, *decisions: Decision, pool: str = "main") -> None:
    for _ in range(count):
        await here.task(accepted(pool=pool), *decisions)


async def test_behaviour_is_measured_per_pool_over_ended_tasks(here: Feedback) -> None:
    now = here.clock.wall()
    runs = (granted(now), attempt_failed(now + 1.5), granted(now + 2, 2))
    await end(here, 15, *runs, completed(now + 4, run_s=0.5))
    await end(here, 5, granted(now), attempt_failed(now + 2), failed(now + 2))
    await end(here, 7, cancelled(now))
    await end(here, 5, failed(now), pool="other")
    task = await here.completed()
    await here.giving.give(rating(task, 0.5))
    await here.giving.give(rating(task, GOOD))

    await here.measure()
    await here.measure()

    (event,) = await here.history(BehaviourMeasured)
    assert (event.pool, event.tasks) == ("main", 21)
    assert event.completion_rate == pytest.approx(16 / 21)
    assert event.average_quality == 0.75
    assert event.resource_efficiency == pytest.approx(8.0 / (8.0 + 15 * 1.5 + 5 * 2.0))
    (boosted,) = await here.history(PriorityBoosted)
    assert boosted.boost_s == 3.75


async def test_what_ended_before_the_window_does_not_count(here: Feedback) -> None:
    await end(here, 40, failed(here.clock.wall()))
    here.clock.passes(620)
    await end(here, 20, completed(here.clock.wall()))

    await here.measure()

    (event,) = await here.history(BehaviourMeasured)
    assert (event.tasks, event.completion_rate) == (20, 1.0)


async def test_the_context_pool_grows_when_prepared_tasks_reuse_turns(here: Feedback) -> None:
    now = here.clock.wall()
    await end(here, 9, prepared(kept=2, dropped=1), completed(now))
    await end(here, 1, prepared(dropped=3), completed(now))
    await end(here, 30, prepared(), completed(now))

    await here.measure()

    (event,) = await here.history(ContextPoolGrown)
    assert (event.factor, event.context_reuse_rate) == (1.5, 0.9)


async def test_nothing_is_repeated_after_a_restart(tmp_path: Path) -> None:
    store = MemoryEventStore()
    async with feedback(tmp_path, store) as here:
        await here.register(*MODELS)
        await rate_well_and_badly(here)
        await end(here, 20, failed(here.clock.wall()))
        await here.learn()
        await here.measure()
        before = len(await store.read(0, limit=10_000))

    async with feedback(tmp_path, store) as here:
        await here.learn()
        await here.measure()

        assert len(await store.read(0, limit=10_000)) == before
        report = await here.questions.show(ShowFeedback(family="summarize"))

    (family,) = report.families
    (pool,) = report.pools
    assert (family.order, family.ratings, family.threshold) == (("small", "large"), 200, 0.35)
    assert [(v.variant, v.registered) for v in family.variants] == [("large", 0.9), ("small", 0.6)]
    assert (pool.boost_s, pool.boosted) == (30.0, ("interactive", "standard"))


class CountingStore(MemoryEventStore):
    """Counts the appends that it could not take."""

    refused = 0

    async def append(self, append: Append, *, timeout_s: float = 5.0) -> AppendAnswer:
        self.refused += self.failure is not None
        return await super().append(append, timeout_s=timeout_s)


async def test_the_running_learner_waits_for_a_log_that_is_full(tmp_path: Path) -> None:
    store = CountingStore()
    async with feedback(tmp_path, store) as here:
        await here.rate("large", GOOD)
        store.failure = "disk full"

        learning = asyncio.create_task(here.learner.run(here.own))
        await wait_until(lambda: store.refused > 0)
        store.failure = None
        await wait_until(lambda: "large" in here.learned.quality)

        await here.rate("small", GOOD)
        await wait_until(lambda: "small" in here.learned.quality)
        learning.cancel()
        await asyncio.wait([learning])
