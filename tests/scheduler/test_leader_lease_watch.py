"""Only who could be heard and was not is absent; time stands still while nobody can be heard."""

from uuid import UUID

import pytest

from pointsman.contracts.commands import Accepted
from pointsman.contracts.leases import LEASE_TTL_S, Lease, Renewal
from pointsman.scheduler.leading.lease_watch import LOOK_EVERY_S, LeaseWatch
from pointsman.scheduler.leading.settling import Settling
from tests.support.leading import Scheduler, World, scheduler
from tests.support.scheduling import attach, offer, submission

HOUR_S = 3600.0


@pytest.fixture
def world() -> World:
    return World()


class Watched:
    """A leader with a running attempt, and the watch over its lease."""

    def __init__(self, world: World, here: Scheduler, task: UUID) -> None:
        self.world = world
        self.here = here
        self.task = task
        self.watch = LeaseWatch(
            here.pool, Settling(here.log), here.dispatch, here.clocks, here.clock
        )

    @property
    def runs(self) -> bool:
        return self.here.pool.tasks[self.task].lease is not None

    async def looks_for(self, seconds: float) -> None:
        for _ in range(round(seconds / LOOK_EVERY_S)):
            self.world.clock.passes(LOOK_EVERY_S)
            await self.watch.look()

    async def renews(self) -> None:
        await self.watch.renewed(
            Renewal(
                pool="main",
                executor="executor-1",
                incarnation="first",
                leases=(Lease(task=self.task, attempt=1),),
            )
        )


@pytest.fixture
async def watched(world: World) -> Watched:
    here = await scheduler(world)
    await here.leader.attach(attach(offer()))
    answer = await here.submissions.submit(submission(), door="command")
    assert isinstance(answer, Accepted)
    await here.grant()
    return Watched(world, here, answer.task)


async def test_a_silent_executor_loses_its_attempt_after_a_lease_and_two_looks(
    watched: Watched,
) -> None:
    await watched.looks_for(LEASE_TTL_S + 1)
    assert watched.runs

    await watched.looks_for(2)

    assert not watched.runs


async def test_an_executor_that_renews_keeps_its_attempt(watched: Watched) -> None:
    for _ in range(20):
        await watched.looks_for(3)
        await watched.renews()

    assert watched.runs


async def test_a_link_that_only_looks_connected_costs_nobody_a_lease(watched: Watched) -> None:
    watched.world.orders.bus = False
    await watched.looks_for(HOUR_S / 60)
    assert watched.runs

    watched.world.orders.bus = True
    await watched.looks_for(LEASE_TTL_S / 2)

    assert watched.runs
    await watched.looks_for(LEASE_TTL_S)
    assert not watched.runs


async def test_a_leader_that_was_stopped_hears_what_came_meanwhile_before_it_judges(
    watched: Watched,
) -> None:
    watched.world.clock.passes(HOUR_S)

    await watched.watch.look()
    await watched.renews()
    await watched.looks_for(LEASE_TTL_S)

    assert watched.runs


async def test_no_lease_ends_while_the_log_is_away_and_all_live_on_when_it_is_back(
    watched: Watched,
) -> None:
    watched.world.store.failure = "disk full"
    await watched.here.lead.renew()
    await watched.looks_for(HOUR_S / 60)

    watched.world.store.failure = None
    await watched.here.lead.renew()
    await watched.looks_for(LEASE_TTL_S)

    assert watched.runs


async def test_an_absence_that_cannot_be_recorded_gives_a_full_life_when_the_log_is_back(
    watched: Watched,
) -> None:
    await watched.looks_for(LEASE_TTL_S + 1)
    watched.world.store.failure = "disk full"
    await watched.looks_for(5)
    watched.world.store.failure = None
    await watched.here.lead.renew()

    await watched.looks_for(LEASE_TTL_S)

    assert watched.runs


async def test_renewals_are_heard_while_the_log_is_away(watched: Watched) -> None:
    watched.world.store.failure = "disk full"
    await watched.here.lead.renew()
    for _ in range(10):
        await watched.looks_for(3)
        await watched.renews()
    watched.world.store.failure = None
    await watched.here.lead.renew()

    assert watched.here.clocks.holds("executor-1", watched.task, 1)
    await watched.looks_for(LEASE_TTL_S)
    assert watched.runs
