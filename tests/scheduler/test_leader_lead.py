"""A lead is renewed while it is held, doubted while it cannot be, and over when another leads."""

import asyncio
from uuid import uuid4

import pytest

from pointsman.contracts.decided import Decided
from pointsman.contracts.events import TaskCancelled
from pointsman.contracts.leases import LEASE_TTL_S
from pointsman.contracts.topics import EventCodec
from pointsman.eventstore.ports import LogUnavailableError
from pointsman.scheduler.domain.attempts.lease_clocks import LeaseClocks
from pointsman.scheduler.leading.decision_log import DecisionLog
from pointsman.scheduler.leading.lead import LEAD_TTL_S, FencedError, Lead
from pointsman.testing.clock import FakeClock
from pointsman.testing.waiting import PATIENCE_S, wait_until
from tests.support.electing import elected
from tests.support.elections import SharedStore
from tests.support.scheduling import NOON


class Leading:
    """A lead of a pool in a log that a test cuts off and gives to others."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.store = SharedStore(self.clock)
        self.clocks = LeaseClocks(now=self.clock.monotonic())
        self.said: list[tuple[bool, str]] = []
        self.give_way_s = 0.01

    async def lead(self) -> Lead:
        return Lead(
            self.store,
            await elected(self.store, "main", "here"),
            self.clocks,
            self.clock,
            on_state=lambda certain, detail: self.said.append((certain, detail)),
            give_way_s=self.give_way_s,
        )

    def absent(self) -> list[str]:
        return self.clocks.absent(["executor-1"], now=self.clock.monotonic())


@pytest.fixture
def here() -> Leading:
    return Leading()


def a_decision() -> Decided:
    cancelled = TaskCancelled(at=NOON, applied_to=0, by="cli", reason="", attempt=0)
    return Decided(uuid4(), 0, (cancelled,))


async def test_a_renewed_lead_stays_certain_and_keeps_others_away(here: Leading) -> None:
    lead = await here.lead()

    for _ in range(10):
        here.clock.passes(LEAD_TTL_S - 1)
        await lead.renew()

        row = await here.store.leader("main")
        assert row is not None
        assert row.expires_in_s == LEAD_TTL_S
        assert lead.certain
    assert here.said == []


async def test_a_lead_is_in_doubt_once_it_could_not_be_renewed_for_its_life(here: Leading) -> None:
    lead = await here.lead()
    here.store.unreachable = True

    here.clock.passes(LEAD_TTL_S)
    await lead.renew()
    assert lead.certain
    here.clock.passes(0.1)
    await lead.renew()

    assert not lead.certain
    assert [certain for certain, _ in here.said] == [False]
    with pytest.raises(LogUnavailableError, match="could not be renewed"):
        lead.require()


async def test_a_lead_that_can_be_renewed_again_goes_on(here: Leading) -> None:
    lead = await here.lead()
    here.store.unreachable = True
    here.clock.passes(60)
    await lead.renew()

    here.store.unreachable = False
    await lead.renew()

    lead.require()
    assert here.said[1:] == [(True, "leads pool main, epoch 1")]


async def test_who_is_in_doubt_keeps_its_answers_back_until_the_lead_is_renewed(
    here: Leading,
) -> None:
    here.give_way_s = 60.0
    lead = await here.lead()
    here.clock.passes(LEAD_TTL_S + 1)
    answering = asyncio.create_task(lead.give_way())
    _, waiting = await asyncio.wait({answering}, timeout=0.05)
    assert waiting == {answering}

    await lead.renew()

    await asyncio.wait_for(answering, timeout=10)


async def test_who_was_overtaken_lets_the_new_leader_answer_first(here: Leading) -> None:
    lead = await here.lead()
    error = lead.fenced(2)

    await lead.give_way()

    with pytest.raises(FencedError) as caught:
        lead.require()
    assert caught.value is error


async def test_no_lease_ends_while_the_log_is_away_and_each_gets_a_full_life_afterwards(
    here: Leading,
) -> None:
    lead = await here.lead()
    here.store.unreachable = True
    await lead.renew()
    here.clock.passes(3600)
    assert here.absent() == []

    here.store.unreachable = False
    await lead.renew()
    here.clock.passes(LEASE_TTL_S)

    assert here.absent() == []
    await lead.renew()
    here.clock.passes(0.1)
    assert here.absent() == ["executor-1"]


async def test_an_append_that_fails_stops_the_lease_clocks_and_one_that_works_starts_them(
    here: Leading,
) -> None:
    log = DecisionLog(here.store, EventCodec(), await here.lead())
    here.store.failure = "disk full"
    with pytest.raises(LogUnavailableError):
        await log.record(a_decision())
    here.clock.passes(3600)
    assert here.absent() == []

    here.store.failure = None
    await log.record(a_decision())
    here.clock.passes(LEASE_TTL_S)

    assert here.absent() == []


async def test_a_renewal_of_a_lead_that_another_has_taken_ends_it(here: Leading) -> None:
    lead = await here.lead()
    here.clock.passes(LEAD_TTL_S + 1)
    await elected(here.store, "main", "there")

    with pytest.raises(FencedError) as caught:
        await lead.renew()

    assert (caught.value.code, caught.value.mine, caught.value.actual) == ("fenced", 1, 2)
    assert "stands by" in str(caught.value)
    assert not lead.certain


async def test_a_refused_append_ends_the_keeping_at_once(here: Leading) -> None:
    lead = await here.lead()
    keeping = asyncio.create_task(lead.keep())
    await wait_until(lambda: here.store.renewals == 1)
    here.clock.passes(LEAD_TTL_S + 1)
    await elected(here.store, "main", "there")

    with pytest.raises(FencedError):
        await DecisionLog(here.store, EventCodec(), lead).record(a_decision())

    with pytest.raises(FencedError):
        await asyncio.wait_for(keeping, timeout=PATIENCE_S)


async def test_who_hears_of_a_later_epoch_looks_at_once(here: Leading) -> None:
    lead = await here.lead()
    keeping = asyncio.create_task(lead.keep())
    await wait_until(lambda: here.store.renewals == 1)
    here.clock.passes(LEAD_TTL_S + 1)
    await elected(here.store, "main", "there")

    lead.doubt()

    with pytest.raises(FencedError):
        await asyncio.wait_for(keeping, timeout=PATIENCE_S)


async def test_a_lead_that_is_given_back_can_be_taken_at_once(here: Leading) -> None:
    lead = await here.lead()
    await lead.renew()

    await lead.resign()

    assert (await elected(here.store, "main", "there")).epoch == 2


async def test_who_was_overtaken_gives_nothing_back(here: Leading) -> None:
    lead = await here.lead()
    here.clock.passes(LEAD_TTL_S + 1)
    await elected(here.store, "main", "there")
    with pytest.raises(FencedError):
        await lead.renew()

    await lead.resign()

    row = await here.store.leader("main")
    assert row is not None
    assert (row.holder, row.epoch) == ("there", 2)


async def test_giving_back_what_the_log_does_not_take_is_no_error(here: Leading) -> None:
    lead = await here.lead()
    here.store.unreachable = True

    await lead.resign()
