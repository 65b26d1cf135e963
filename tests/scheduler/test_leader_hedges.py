"""Two attempts of one task: their holders hear what they have to, whatever gets lost on the way."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from pointsman.contracts.commands import Accepted, CancelTask, Done
from pointsman.contracts.decided import Decided
from pointsman.contracts.events import AttemptDropped, TaskHedged
from pointsman.contracts.leases import LEASE_TTL_S, Lease, Renewal
from pointsman.contracts.streams import stream_id
from pointsman.testing.clock import FakeClock
from pointsman.testing.waiting import wait_until
from tests.support.hedging import HEDGES, RUNS, USUAL_S
from tests.support.leading import Scheduler, World, leading
from tests.support.scheduling import COMPLETED, report, submission

EXECUTOR: Final = "executor-1"


@dataclass(slots=True)
class PassingClock(FakeClock):
    """Time that passes whenever somebody asks for it, from when `step_s` is set."""

    step_s: float = 0.0

    def wall(self) -> float:
        self.passes(self.step_s)
        return self.now


@dataclass(frozen=True, slots=True)
class Slow:
    """A task with two attempts, in a pool that leads."""

    world: World
    here: Scheduler
    task: UUID

    def lease(self, attempt: int) -> Lease:
        return Lease(task=self.task, attempt=attempt)

    async def renewed(self, *attempts: int) -> None:
        leases = tuple(map(self.lease, attempts))
        await self.here.leader.renewed(
            Renewal(pool="main", executor=EXECUTOR, incarnation="first", leases=leases)
        )


async def begun(world: World, here: Scheduler, number: int) -> UUID:
    """A task that runs."""
    asked = submission(command_id=f"order-{number}")
    answer = await here.submissions.submit(asked, door="command")
    assert isinstance(answer, Accepted)
    await wait_until(lambda: len(world.orders.grants) >= number)
    return answer.task


@asynccontextmanager
async def experienced_leader(world: World) -> AsyncGenerator[Scheduler]:
    """A leader that may hedge and knows what is usual."""
    async with leading(world, slots=2) as here:
        await here.log.record_all([Decided(stream_id("policy", "main"), 0, (HEDGES,))])
        for number in range(1, RUNS + 1):
            await here.leader.report(report(await begun(world, here, number), 1, COMPLETED))
        yield here


@asynccontextmanager
async def hedged() -> AsyncGenerator[Slow]:
    """A task that is slow after enough that were not."""
    world = World()
    async with experienced_leader(world) as here:
        task = await begun(world, here, RUNS + 1)
        world.clock.passes(1.0)
        here.leader.wake()
        await wait_until(lambda: len(world.orders.grants) == RUNS + 2)
        yield Slow(world, here, task)


async def test_a_hedge_is_sent_when_it_is_recorded() -> None:
    async with hedged() as slow:
        last = slow.world.orders.grants[-1]

        assert (last.task, last.attempt) == (slow.task, 2)
        assert any(isinstance(event, TaskHedged) for event in await slow.here.history())


async def test_the_loser_is_stopped_at_its_holder() -> None:
    async with hedged() as slow:
        answer = await slow.here.leader.report(report(slow.task, 2, COMPLETED))
        await wait_until(lambda: bool(slow.world.orders.cancels))

        assert answer.status == "recorded"
        assert set(slow.world.orders.cancels) == {slow.lease(1)}


async def test_a_cancelled_task_is_stopped_at_both_holders() -> None:
    async with hedged() as slow:
        answer = await slow.here.leader.cancel(
            CancelTask(command_id="cancel", task=slow.task, by="ada")
        )
        await wait_until(lambda: len(set(slow.world.orders.cancels)) == 2)

        assert answer == Done(detail="cancelled")


async def test_both_leases_are_renewed_and_one_that_is_not_is_sent_again() -> None:
    async with hedged() as slow:
        await slow.renewed(1, 2)
        slow.world.clock.passes(2.0)
        sent = len(slow.world.orders.grants)
        await slow.renewed(1)
        await wait_until(lambda: len(slow.world.orders.grants) > sent)

        assert slow.world.orders.grants[-1].attempt == 2
        assert slow.world.orders.cancels == []


async def test_a_lease_that_nobody_holds_is_lost_and_the_other_goes_on() -> None:
    async with hedged() as slow:
        slow.world.clock.passes(LEASE_TTL_S + 1)
        await slow.renewed(2)

        dropped = [e for e in await slow.here.history() if isinstance(e, AttemptDropped)]
        assert [(event.attempt, event.goes_on) for event in dropped] == [(1, 2)]
        leases = slow.here.pool.tasks[slow.task].leases
        assert [lease.attempt for lease in leases] == [2]


async def test_the_loser_that_still_renews_under_a_later_leader_is_stopped() -> None:
    async with hedged() as slow:
        await slow.here.leader.report(report(slow.task, 1, COMPLETED))
        await wait_until(lambda: bool(slow.world.orders.cancels))
        told = len(slow.world.orders.cancels)
        await slow.renewed(2)
        await wait_until(lambda: len(slow.world.orders.cancels) > told)

        assert set(slow.world.orders.cancels) == {slow.lease(2)}


async def test_a_moment_that_comes_while_a_round_is_decided_is_not_missed() -> None:
    clock = PassingClock()
    world = World(clock=clock)
    async with experienced_leader(world) as here:
        clock.step_s = 0.32 * USUAL_S
        await begun(world, here, RUNS + 1)

        await wait_until(lambda: len(world.orders.grants) == RUNS + 2)

        assert world.orders.grants[-1].attempt == 2
