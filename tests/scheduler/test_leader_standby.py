"""A standby folds the log, waits for the end of the lead, and goes on where the leader was."""

import asyncio
from collections.abc import Callable
from uuid import UUID

import pytest

from pointsman.contracts.commands import Accepted
from pointsman.contracts.events import AttemptLost, LeaderElected
from pointsman.contracts.leases import LEASE_TTL_S, Lease, Renewal
from pointsman.contracts.topics import EventCodec
from pointsman.eventstore.ports import Leadership
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.leading.folding import Folding
from pointsman.scheduler.leading.lead import LEAD_TTL_S
from pointsman.scheduler.leading.take_lead import LOOK_EVERY_S, LOOK_NEAR_END_S, Candidate, Standby
from pointsman.testing.clock import FakeClock
from pointsman.testing.waiting import wait_until
from tests.support.electing import elected
from tests.support.elections import SharedStore, Waiting
from tests.support.leading import Scheduler, World, leading, scheduler
from tests.support.pool_state import state
from tests.support.scheduling import report, submission


class Shared:
    """A log that several schedulers share, with a leader that a test may stop."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.store = SharedStore(self.clock)
        self.reasons: list[str] = []

    async def candidate(
        self,
        waiting: Waiting,
        *,
        holder: str = "standby",
        fit: Callable[[], bool] = lambda: True,
    ) -> Candidate:
        pool = Pool("main")
        folding = Folding(pool, self.store, EventCodec(), on_broken=fail)
        await folding.start()
        return Candidate(
            pool,
            self.store,
            EventCodec(),
            self.clock,
            holder=holder,
            fit=fit,
            on_standby=self.reasons.append,
            pause=waiting,
        )

    async def leader(self) -> Leadership:
        leadership = await elected(self.store, "main", "leader")
        assert await self.store.renew(leadership, ttl_s=LEAD_TTL_S)
        return leadership


def fail(error: Exception) -> None:
    raise AssertionError(error)


@pytest.fixture
def shared() -> Shared:
    return Shared()


@pytest.fixture
def world() -> World:
    clock = FakeClock()
    return World(store=SharedStore(clock), clock=clock)


async def submitted(here: Scheduler, command_id: str = "order-1") -> UUID:
    answer = await here.submissions.submit(submission(command_id=command_id), door="command")
    assert isinstance(answer, Accepted)
    return answer.task


async def test_who_comes_first_leads_at_once(shared: Shared) -> None:
    waiting = Waiting(shared.clock)

    leadership = await (await shared.candidate(waiting)).elected()

    assert leadership == Leadership("main", 1)
    assert waiting.waits == []


async def test_a_standby_leads_within_five_seconds_of_the_last_renewal(shared: Shared) -> None:
    before = await shared.leader()
    died_at = shared.clock.ticks
    candidate = await shared.candidate(Waiting(shared.clock))

    leadership = await candidate.elected()

    assert leadership.epoch == before.epoch + 1
    assert LEAD_TTL_S <= shared.clock.ticks - died_at <= LEAD_TTL_S + 2 * LOOK_NEAR_END_S


async def test_a_leader_that_renews_is_left_alone(shared: Shared) -> None:
    led = await shared.leader()
    waiting = Waiting(shared.clock)

    async def renew() -> None:
        if len(waiting.waits) <= 50:
            assert await shared.store.renew(led, ttl_s=LEAD_TTL_S)

    waiting.meanwhile = renew

    await (await shared.candidate(waiting)).elected()

    assert len(waiting.waits) > 50
    assert set(shared.reasons) == {"leader leads"}


async def test_a_standby_looks_seldom_while_the_lead_lasts_and_often_near_its_end(
    shared: Shared,
) -> None:
    await shared.leader()
    waiting = Waiting(shared.clock)

    await (await shared.candidate(waiting)).elected()

    assert waiting.waits[:3] == [LOOK_EVERY_S] * 3
    assert max(waiting.waits[3:]) <= LOOK_NEAR_END_S
    assert len(waiting.waits) < 10


async def test_a_lead_that_was_given_back_is_taken_at_the_next_look(shared: Shared) -> None:
    led = await shared.leader()
    candidate = await shared.candidate(Waiting(shared.clock))
    assert isinstance(await candidate.stand(), Standby)

    await shared.store.resign(led)

    assert await candidate.stand() == Leadership("main", 2)


async def test_who_cannot_serve_leaves_the_lead_to_another(shared: Shared) -> None:
    cut_off = await shared.candidate(Waiting(shared.clock), holder="cut off", fit=lambda: False)
    well = await shared.candidate(Waiting(shared.clock), holder="well")

    assert isinstance(await cut_off.stand(), Standby)

    assert await well.elected() == Leadership("main", 1)


async def test_a_log_that_is_away_is_waited_for(shared: Shared) -> None:
    waiting = Waiting(shared.clock)
    candidate = await shared.candidate(waiting)
    shared.store.unreachable = True

    def back_after_three() -> None:
        shared.store.unreachable = len(waiting.waits) < 3

    waiting.meanwhile = back_after_three

    assert await candidate.elected() == Leadership("main", 1)
    assert len(waiting.waits) == 3


async def test_of_candidates_that_stand_at_once_one_is_elected(shared: Shared) -> None:
    await shared.leader()
    shared.clock.passes(LEAD_TTL_S + 1)
    candidates = [
        await shared.candidate(Waiting(shared.clock), holder=f"standby {n}") for n in range(5)
    ]

    outcomes = await asyncio.gather(*(candidate.stand() for candidate in candidates))

    assert [o for o in outcomes if isinstance(o, Leadership)] == [Leadership("main", 2)]
    elections = [e for e in await shared.store.read(0) if e.type == "pool.leader_elected.v1"]
    assert [e.epoch for e in elections] == [2]


async def test_an_election_is_recorded_under_the_epoch_that_it_begins(shared: Shared) -> None:
    await (await shared.candidate(Waiting(shared.clock))).elected()

    (recorded,) = await shared.store.read(0)
    event = EventCodec().decode(recorded.type, bytes(recorded.data))
    assert isinstance(event, LeaderElected)
    assert (recorded.epoch, event.epoch, event.holder) == (1, 1, "standby")


async def test_a_standby_has_folded_what_the_leader_decides(world: World) -> None:
    standing_by = Pool("main")
    await Folding(standing_by, world.store, EventCodec(), on_broken=fail).start()

    async with leading(world, slots=2) as here:
        for n in range(5):
            await submitted(here, f"order-{n}")
        await wait_until(lambda: len(world.orders.grants) == 2)

        assert state(standing_by, world.clock.now) == state(here.pool, world.clock.now)


async def test_a_new_leader_adopts_live_leases_and_gives_each_a_full_life(world: World) -> None:
    async with leading(world) as before:
        running = await submitted(before, "order-1")
        waiting = await submitted(before, "order-2")
        await wait_until(lambda: len(world.orders.grants) == 1)
    world.clock.passes(LEASE_TTL_S - 0.5)

    here = await scheduler(world, holder="there")
    world.clock.passes(LEASE_TTL_S)

    assert here.clocks.absent(here.pool.executors(), now=world.clock.ticks) == []
    assert (await here.leader.report(report(running, 1))).status == "recorded"
    assert waiting in here.pool.tasks
    assert not [e for e in await here.history() if isinstance(e, AttemptLost)]


async def test_a_new_leader_sends_again_what_no_executor_holds(world: World) -> None:
    world.orders.reachable.clear()
    async with leading(world, slots=2) as before:
        held, lost = await submitted(before, "order-1"), await submitted(before, "order-2")
        await wait_until(lambda: len({grant.task for grant in world.orders.grants}) == 2)
    world.orders.sent.clear()
    world.orders.reachable.set()
    world.clock.passes(LEAD_TTL_S + 1)
    here = await scheduler(world, holder="there")

    await here.leader.renewed(
        Renewal(
            pool="main",
            executor="executor-1",
            incarnation="first",
            leases=(Lease(task=held, attempt=1),),
        )
    )
    await wait_until(lambda: bool(world.orders.grants))

    assert [(grant.task, grant.attempt) for grant in world.orders.grants] == [(lost, 1)]
    assert world.orders.sent[0].epoch == 2
    await here.dispatch.drain()


async def test_executors_are_told_of_the_new_epoch_at_once(world: World) -> None:
    async with leading(world):
        pass
    world.clock.passes(LEAD_TTL_S + 1)

    here = await scheduler(world, holder="there")
    running = asyncio.ensure_future(here.leader.run())
    await wait_until(lambda: ("executor-1", 2) in world.orders.introduced)

    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
