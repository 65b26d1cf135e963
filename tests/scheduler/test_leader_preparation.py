"""Tasks that the context service prepares, as their leader answers it."""

import asyncio
from collections.abc import AsyncGenerator
from uuid import UUID

import pytest

from pointsman.contracts.commands import Accepted, Done, Rejected
from pointsman.contracts.events import TaskCompleted, TaskPrepared
from pointsman.eventstore.ports import LogUnavailableError
from pointsman.scheduler.domain.tasks import PREPARATION_S
from pointsman.testing.waiting import wait_until
from tests.support.influences import CONTEXT, with_context, with_result
from tests.support.leading import Scheduler, World, leading
from tests.support.scheduling import submission


@pytest.fixture
async def here() -> AsyncGenerator[Scheduler]:
    async with leading(World()) as running:
        yield running


async def held(here: Scheduler, *, cache: bool = False) -> UUID:
    """A task that waits for its context, or for a cached result."""
    task = submission(conversation=None if cache else "c-1", cache=cache)
    answer = await here.submissions.submit(task, door="command")
    assert isinstance(answer, Accepted)
    return answer.task


async def test_a_prepared_task_is_granted_with_what_was_prepared(here: Scheduler) -> None:
    task = await held(here)
    assert here.orders.grants == []

    answer = await here.leader.prepare(with_context(task))
    await wait_until(lambda: bool(here.orders.grants))

    assert answer == Done(detail="prepared")
    (grant,) = here.orders.grants
    assert (grant.task, grant.payload) == (task, CONTEXT)


async def test_preparing_again_is_answered_and_changes_nothing(here: Scheduler) -> None:
    task = await held(here)

    answers = await asyncio.gather(*(here.leader.prepare(with_context(task)) for _ in range(5)))

    assert sorted(a.detail for a in answers if isinstance(a, Done)) == [
        "prepared",
        *["the task waits for nothing any more"] * 4,
    ]
    prepared = [event for event in await here.history() if isinstance(event, TaskPrepared)]
    assert len(prepared) == 1


async def test_a_cached_result_ends_a_task_without_a_word_to_executors(here: Scheduler) -> None:
    task = await held(here, cache=True)

    assert await here.leader.prepare(with_result(task)) == Done(detail="prepared")

    assert here.orders.sent == []
    assert (here.pool.tasks, here.pool.queued) == ({}, 0)
    (completed,) = [e for e in await here.history() if isinstance(e, TaskCompleted)]
    assert completed.cached_from == "earlier"


async def test_a_preparation_that_nobody_asked_for_is_refused(here: Scheduler) -> None:
    task = await held(here)

    answer = await here.leader.prepare(with_result(task))

    assert isinstance(answer, Rejected)
    assert answer.code == "preparation_not_wanted"
    assert here.pool.tasks[task].prepared is None


async def test_a_preparation_that_cannot_be_recorded_is_not_confirmed(here: Scheduler) -> None:
    task = await held(here)
    here.store.failure = "disk full"

    with pytest.raises(LogUnavailableError):
        await here.leader.prepare(with_context(task))

    here.store.failure = None
    assert await here.leader.prepare(with_context(task)) == Done(detail="prepared")


async def test_a_task_that_nobody_prepares_is_granted_when_the_leader_looks(
    here: Scheduler,
) -> None:
    task = await held(here)

    here.clock.passes(PREPARATION_S)
    here.leader.wake()
    await wait_until(lambda: bool(here.orders.grants))

    assert here.orders.grants[0].task == task
