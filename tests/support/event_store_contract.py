"""What every event store must do; subclassed once per implementation."""

import asyncio
from uuid import uuid4

import pytest

from pointsman.eventstore.ports import (
    Append,
    Appended,
    DuplicateCommand,
    EventIdInUseError,
    EventStore,
    FeedFloor,
    Fenced,
    Leadership,
    VersionConflict,
)
from tests.support.commit_listener_contract import CommitListenerContract
from tests.support.electing import elected
from tests.support.election_contract import ElectionContract
from tests.support.log_events import NOON_US, TOPIC, ManualClock, a_command, an_event, some_events


class EventStoreContract(CommitListenerContract, ElectionContract):
    """Subclasses give the fixture `store`, made with the fixture `clock`."""

    @pytest.fixture
    def clock(self) -> ManualClock:
        return ManualClock()

    async def test_an_event_is_read_back_as_it_was_appended(self, store: EventStore) -> None:
        stream = uuid4()
        event = an_event(stream, 1, tenant="globex", reason="Straße \x07")

        answer = await store.append(Append([event]))

        assert answer == Appended((1,))
        (read,) = await store.read(0)
        assert (read.position, read.id, read.stream, read.version) == (1, event.id, stream, 1)
        assert (read.type, read.tenant, read.epoch) == (TOPIC, "globex", 0)
        assert (read.time_us, bytes(read.data)) == (NOON_US, event.state)

    async def test_events_of_one_append_stand_together(self, store: EventStore) -> None:
        first, second = uuid4(), uuid4()

        answer = await store.append(
            Append([an_event(first, 1), an_event(second, 1), an_event(first, 2)])
        )

        assert answer == Appended((1, 2, 3))
        assert [event.version for event in await store.read_stream(first)] == [1, 2]
        assert [event.position for event in await store.read_stream(first, after=1)] == [3]

    async def test_an_empty_log_has_head_zero(self, store: EventStore) -> None:
        assert await store.head() == 0
        assert list(await store.read(0)) == []
        assert list(await store.read_stream(uuid4())) == []

    @pytest.mark.parametrize("version", [0, 2, 3, 5])
    async def test_a_version_that_is_not_the_next_is_a_conflict(
        self, store: EventStore, version: int
    ) -> None:
        stream = uuid4()
        await store.append(some_events(stream, [1, 2, 3]))

        answer = await store.append(some_events(stream, [version]))

        assert answer == VersionConflict(stream, actual=3)
        assert await store.head() == 3

    async def test_a_gap_inside_an_append_is_a_conflict(self, store: EventStore) -> None:
        stream = uuid4()

        assert await store.append(some_events(stream, [1, 3])) == VersionConflict(stream, 0)
        assert await store.append(some_events(stream, [1, 1])) == VersionConflict(stream, 0)
        assert await store.head() == 0

    async def test_a_refused_append_records_none_of_its_events(self, store: EventStore) -> None:
        stream, other = uuid4(), uuid4()

        answer = await store.append(Append([an_event(other, 1), an_event(stream, 2)]))

        assert answer == VersionConflict(stream, actual=0)
        assert await store.append(some_events(other, [1])) == Appended((1,))

    async def test_a_repeated_command_gets_the_earlier_reply(self, store: EventStore) -> None:
        await store.append(Append([an_event(uuid4(), 1)], a_command("m", reply=b"first")))

        answer = await store.append(Append([an_event(uuid4(), 1)], a_command("m", reply=b"2nd")))

        assert answer == DuplicateCommand(1, b"first", same_request=True)
        assert await store.head() == 1

    async def test_another_request_under_the_same_command_id_is_told(
        self, store: EventStore
    ) -> None:
        await store.append(Append([], a_command("m", request=b"one")))

        answer = await store.append(Append([], a_command("m", request=b"two")))

        assert answer == DuplicateCommand(0, b"reply", same_request=False)

    async def test_tenants_have_command_ids_of_their_own(self, store: EventStore) -> None:
        await store.append(Append([an_event(uuid4(), 1)], a_command("m", tenant="acme")))

        answer = await store.append(Append([an_event(uuid4(), 1)], a_command("m", tenant="globex")))

        assert answer == Appended((2,))

    async def test_a_refused_append_leaves_its_command_unknown(self, store: EventStore) -> None:
        stream = uuid4()
        await store.append(Append([an_event(stream, 2)], a_command("m")))

        answer = await store.append(Append([an_event(stream, 1)], a_command("m")))

        assert answer == Appended((1,))

    async def test_an_earlier_leader_is_fenced(self, store: EventStore) -> None:
        first, second = await elected(store, "pool", "a"), await elected(store, "pool", "b")

        old = await store.append(Append([an_event(uuid4(), 1)], leadership=first))
        new = await store.append(Append([an_event(uuid4(), 1)], leadership=second))

        assert (first.epoch, second.epoch) == (1, 2)
        assert (old, new) == (Fenced(2), Appended((1,)))
        assert [event.epoch for event in await store.read(0)] == [2]

    async def test_pools_have_epochs_of_their_own(self, store: EventStore) -> None:
        await elected(store, "a", "x")
        await elected(store, "a", "x")

        assert await elected(store, "b", "x") == Leadership("b", 1)

    async def test_an_append_in_doubt_is_repeated_and_answered_with_its_positions(
        self, store: EventStore
    ) -> None:
        leadership = await elected(store, "pool", "a")
        stream = uuid4()
        append = Append([an_event(stream, 1), an_event(stream, 2)], a_command("m"), leadership)
        await store.append(append)
        await store.append(some_events(stream, [3]))
        await elected(store, "pool", "b")

        assert await store.append(append) == Appended((1, 2))
        assert await store.head() == 3

    async def test_an_append_that_landed_in_part_with_others_is_no_repetition(
        self, store: EventStore
    ) -> None:
        stream = uuid4()
        landed = an_event(stream, 1)
        await store.append(Append([landed]))

        answer = await store.append(Append([landed, an_event(stream, 2)]))

        assert answer == VersionConflict(stream, actual=1)

    async def test_the_id_of_another_event_cannot_be_used_again(self, store: EventStore) -> None:
        taken = an_event(uuid4(), 1)
        await store.append(Append([taken]))

        stream = uuid4()
        with pytest.raises(EventIdInUseError):
            await store.append(Append([an_event(stream, 1), an_event(stream, 2, id=taken.id)]))

        assert await store.head() == 1
        assert await store.append(some_events(stream, [1])) == Appended((2,))

    async def test_times_grow_with_the_position_while_the_clock_stands_and_jumps_back(
        self, store: EventStore, clock: ManualClock
    ) -> None:
        await store.append(some_events(uuid4(), [1, 2]))
        clock.now_us = NOON_US - 3_600_000_000
        await store.append(some_events(uuid4(), [1]))
        clock.now_us = NOON_US + 10
        await store.append(some_events(uuid4(), [1]))

        times = [event.time_us - NOON_US for event in await store.read(0)]

        assert times == [0, 1, 2, 10]

    async def test_reading_goes_on_after_a_position_up_to_a_limit(self, store: EventStore) -> None:
        await store.append(some_events(uuid4(), range(1, 8)))

        assert [event.position for event in await store.read(2, limit=3)] == [3, 4, 5]
        assert list(await store.read(7)) == []

    async def test_reading_chooses_topics(self, store: EventStore) -> None:
        stream = uuid4()
        topics = ["a.b.v1", "a.c.v1", "a.b.v1", "a.d.v1"]
        events = [an_event(stream, n, topic=topic) for n, topic in enumerate(topics, start=1)]
        await store.append(Append(events))

        read = await store.read(0, topics=["a.b.v1", "a.d.v1"], limit=2)

        assert [event.position for event in read] == [1, 3]

    async def test_who_waits_for_an_event_is_woken_by_its_commit(self, store: EventStore) -> None:
        await store.append(some_events(uuid4(), [1]))
        waiting = asyncio.create_task(store.wait_beyond(2, timeout_s=10))

        await store.append(some_events(uuid4(), [1]))
        woken_early, _ = await asyncio.wait((waiting,), timeout=0.05)
        await store.append(some_events(uuid4(), [1]))

        assert not woken_early
        assert await waiting

    async def test_who_waits_in_vain_is_told_so(self, store: EventStore) -> None:
        assert not await store.wait_beyond(0, timeout_s=0.01)

    async def test_who_waits_for_what_is_there_returns_at_once(self, store: EventStore) -> None:
        await store.append(some_events(uuid4(), [1]))

        assert await store.wait_beyond(0, timeout_s=0)

    async def test_a_cancelled_caller_leaves_its_append_alone(self, store: EventStore) -> None:
        stream = uuid4()
        caller = asyncio.create_task(store.append(some_events(stream, [1])))
        await asyncio.wait((caller,), timeout=0)

        caller.cancel()

        await asyncio.gather(caller, return_exceptions=True)
        assert await store.append(some_events(stream, [2])) == Appended((2,))

    async def test_a_floor_is_the_last_one_set(self, store: EventStore) -> None:
        assert await store.floor("PM_FEED") is None

        await store.set_floor(FeedFloor("PM_FEED", "one", 7, 70))
        await store.set_floor(FeedFloor("PM_EVT", "one", 1, 2))
        await store.set_floor(FeedFloor("PM_FEED", "two", 0, 90))

        assert await store.floor("PM_FEED") == FeedFloor("PM_FEED", "two", 0, 90)

    async def test_pruning_forgets_old_commands_only(
        self, store: EventStore, clock: ManualClock
    ) -> None:
        await store.append(Append([], a_command("old")))
        clock.now_us += 3_600_000_000
        await store.append(Append([], a_command("new")))

        pruned = await store.prune_inbox(keep_s=1800)

        assert pruned == 1
        assert await store.append(Append([], a_command("old"))) == Appended(())
        assert isinstance(await store.append(Append([], a_command("new"))), DuplicateCommand)
