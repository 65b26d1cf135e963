"""What an event store tells the listeners of its commits; part of `event_store_contract`."""

import asyncio
from collections.abc import Sequence
from uuid import uuid4

from pointsman.eventstore.ports import Append, Appended, Committed, EventStore
from tests.support.log_events import an_event, some_events


class CommitListenerContract:
    """Subclasses give the fixture `store`."""

    async def test_listeners_get_commits_in_log_order_before_the_answers(
        self, store: EventStore
    ) -> None:
        seen: list[Committed] = []
        store.on_commit(seen.extend)

        async def append_and_look() -> bool:
            answer = await store.append(some_events(uuid4(), [1, 2]))
            assert isinstance(answer, Appended)
            return set(answer.positions) <= {each.recorded.position for each in seen}

        assert all(await asyncio.gather(*(append_and_look() for _ in range(50))))
        assert [each.recorded.position for each in seen] == list(range(1, 101))
        assert [each.recorded for each in seen] == list(await store.read(0))

    async def test_a_listener_gets_the_decoded_event_itself(self, store: EventStore) -> None:
        seen: list[Committed] = []
        store.on_commit(seen.extend)
        event = an_event(uuid4(), 1)

        await store.append(Append([event]))

        assert seen[0].event is event.event

    async def test_a_failing_listener_fails_neither_the_append_nor_the_others(
        self, store: EventStore
    ) -> None:
        seen: list[Committed] = []

        def fail(_: Sequence[Committed]) -> None:
            message = "a defect"
            raise RuntimeError(message)

        store.on_commit(fail)
        store.on_commit(seen.extend)

        assert await store.append(some_events(uuid4(), [1])) == Appended((1,))
        assert len(seen) == 1

    async def test_a_listener_that_was_ended_hears_no_more_and_the_others_go_on(
        self, store: EventStore
    ) -> None:
        ended: list[Committed] = []
        going_on: list[Committed] = []
        end = store.on_commit(ended.extend)
        store.on_commit(going_on.extend)
        await store.append(some_events(uuid4(), [1]))

        end()
        end()
        await store.append(some_events(uuid4(), [1]))

        assert [each.recorded.position for each in ended] == [1]
        assert [each.recorded.position for each in going_on] == [1, 2]

    async def test_a_listener_may_end_itself_while_it_is_called(self, store: EventStore) -> None:
        first: list[Committed] = []
        seen: list[Committed] = []

        def once(committed: Sequence[Committed]) -> None:
            first.extend(committed)
            end()

        end = store.on_commit(once)
        store.on_commit(seen.extend)

        await store.append(some_events(uuid4(), [1]))
        await store.append(some_events(uuid4(), [1]))

        assert [each.recorded.position for each in first] == [1]
        assert [each.recorded.position for each in seen] == [1, 2]

    async def test_a_follower_gets_commits_of_this_process_before_their_answers(
        self, store: EventStore
    ) -> None:
        await store.append(some_events(uuid4(), [1]))
        head = await store.head()
        seen: list[Committed] = []
        await store.follow(seen.extend)
        event = an_event(uuid4(), 1)

        answer = await store.append(Append([event]))

        assert isinstance(answer, Appended)
        assert [each.recorded.position for each in seen if each.recorded.position > head] == [2]
        assert seen[-1].event is event.event

    async def test_a_follower_that_was_ended_hears_no_more(self, store: EventStore) -> None:
        seen: list[Committed] = []
        end = await store.follow(seen.extend)
        await store.append(some_events(uuid4(), [1]))

        end()
        await store.append(some_events(uuid4(), [1]))
        store.wake()

        assert [each.recorded.position for each in seen] == [1]
