"""How an event store lets a pool be led; part of `event_store_contract`."""

import asyncio
from uuid import uuid4

from pointsman.eventstore.ports import (
    Append,
    Appended,
    EventStore,
    Fenced,
    Leadership,
    TakeOver,
    VersionConflict,
)
from tests.support.electing import elected
from tests.support.log_events import an_event, some_events


class ElectionContract:
    """Subclasses give the fixture `store`."""

    async def test_a_pool_has_no_leader_before_its_first_election(self, store: EventStore) -> None:
        assert await store.leader("pool") is None

    async def test_an_election_is_recorded_under_the_epoch_that_it_begins(
        self, store: EventStore
    ) -> None:
        await elected(store, "pool", "a")

        take_over = TakeOver("pool", "b", epoch=2, ttl_s=0)
        answer = await store.append(Append([an_event(uuid4(), 1)], take_over=take_over))

        assert answer == Appended((1,))
        assert [event.epoch for event in await store.read(0)] == [2]
        leader = await store.leader("pool")
        assert leader is not None
        assert (leader.pool, leader.epoch, leader.holder) == ("pool", 2, "b")
        assert leader.expires_in_s <= 0

    async def test_of_two_candidates_who_saw_the_same_epoch_one_is_elected(
        self, store: EventStore
    ) -> None:
        answers = await asyncio.gather(
            *(
                store.append(
                    Append(
                        [an_event(uuid4(), 1)],
                        take_over=TakeOver("pool", holder, epoch=1, ttl_s=0),
                    )
                )
                for holder in "ab"
            )
        )

        assert sorted(map(repr, answers)) == sorted(map(repr, [Appended((1,)), Fenced(1)]))
        assert await store.head() == 1

    async def test_an_epoch_cannot_be_left_out(self, store: EventStore) -> None:
        first = await store.append(Append([], take_over=TakeOver("pool", "a", epoch=2, ttl_s=0)))
        await elected(store, "pool", "a")
        third = await store.append(Append([], take_over=TakeOver("pool", "a", epoch=3, ttl_s=0)))

        assert (first, third) == (Fenced(0), Fenced(1))

    async def test_an_election_whose_events_are_refused_changes_no_leader(
        self, store: EventStore
    ) -> None:
        stream = uuid4()
        take_over = TakeOver("pool", "a", epoch=1, ttl_s=0)

        answer = await store.append(Append([an_event(stream, 2)], take_over=take_over))

        assert answer == VersionConflict(stream, actual=0)
        assert await store.leader("pool") is None

    async def test_an_election_in_doubt_is_repeated_and_answered_with_its_position(
        self, store: EventStore
    ) -> None:
        take_over = TakeOver("pool", "a", epoch=1, ttl_s=0)
        append = Append([an_event(uuid4(), 1)], take_over=take_over)
        await store.append(append)
        await store.append(some_events(uuid4(), [1]))

        assert await store.append(append) == Appended((1,))

    async def test_a_lead_is_renewed_until_another_leads(self, store: EventStore) -> None:
        first = await elected(store, "pool", "a")

        assert await store.renew(first, ttl_s=0)
        second = await elected(store, "pool", "b")
        assert not await store.renew(first, ttl_s=60)
        assert await store.renew(second, ttl_s=0)
        assert not await store.renew(Leadership("another", 1), ttl_s=60)

    async def test_who_has_resigned_can_be_followed_at_once(self, store: EventStore) -> None:
        leading = TakeOver("pool", "a", epoch=1, ttl_s=60)
        await store.append(Append([], take_over=leading))

        await store.resign(Leadership("pool", 1))

        following = TakeOver("pool", "b", epoch=2, ttl_s=60)
        assert await store.append(Append([], take_over=following)) == Appended(())

    async def test_resigning_after_another_was_elected_changes_nothing(
        self, store: EventStore
    ) -> None:
        first = await elected(store, "pool", "a")
        await store.append(Append([], take_over=TakeOver("pool", "b", epoch=2, ttl_s=60)))

        await store.resign(first)

        leader = await store.leader("pool")
        assert leader is not None
        assert (leader.epoch, leader.holder) == (2, "b")
        assert await store.renew(Leadership("pool", 2), ttl_s=60)

    async def test_a_log_keeps_its_incarnation(self, store: EventStore) -> None:
        before = await store.identity()
        await store.append(some_events(uuid4(), [1]))

        assert before
        assert await store.identity() == before
