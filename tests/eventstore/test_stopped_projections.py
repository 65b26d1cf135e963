"""Events that a projection cannot take: it stops there and says so, the others go on."""

from collections.abc import AsyncGenerator
from pathlib import Path
from uuid import uuid4

import pytest

from pointsman.contracts.events import TaskCancelled
from pointsman.contracts.topics import AGGREGATE_TOPICS, TOPICS, EventCodec
from pointsman.eventstore import Append, NewEvent, SqliteEventStore
from pointsman.eventstore.projections import LogSource, ProjectionState
from pointsman.testing.waiting import wait_until
from tests.eventstore.projecting import chain_now, following
from tests.support.log_events import an_event
from tests.support.task_events import cancelled, dead_letter, record, record_lives, stream_of
from tests.support.views import Chain, chain_of, chain_value


@pytest.fixture
async def store(tmp_path: Path) -> AsyncGenerator[SqliteEventStore]:
    async with SqliteEventStore(tmp_path / "log.db") as store:
        yield store


def of_a_newer_release(event: NewEvent) -> NewEvent:
    topic = event.topic.removesuffix(".v1") + ".v2"
    return NewEvent(event.id, event.stream, event.version, topic, event.state, event.event)


async def test_a_newer_event_stops_the_views_that_read_it_and_no_other(
    store: SqliteEventStore, tmp_path: Path
) -> None:
    await record_lives(store, 1)
    (newer,) = stream_of(uuid4(), [cancelled()])
    await store.append(Append([of_a_newer_release(newer)]))
    last = await record(store, stream_of(uuid4(), [dead_letter()]))
    letters = Chain("letters", frozenset({"dead_letter.recorded"}))

    async with (
        following(Chain(), tmp_path, LogSource(store)) as tasks,
        following(letters, tmp_path, LogSource(store)) as others,
    ):
        await wait_until(lambda: tasks.state is ProjectionState.STOPPED)
        assert await others.caught_up(last, timeout_s=20)
        assert not await tasks.caught_up(last, timeout_s=60)

    assert tasks.stopped is not None
    assert (tasks.stopped.position, tasks.stopped.code) == (4, "newer_event")
    assert tasks.stopped.topic == newer.topic.replace(".v1", ".v2")
    assert "Upgrade Pointsman" in tasks.stopped.reason
    assert chain_value(tasks.path) == chain_of([1, 2, 3])
    assert others.state is ProjectionState.FOLLOWING
    assert chain_value(others.path) == chain_of([5])


async def test_a_stopped_view_goes_on_after_the_upgrade(
    store: SqliteEventStore, tmp_path: Path
) -> None:
    await record_lives(store, 1)
    (newer,) = stream_of(uuid4(), [cancelled()])
    await store.append(Append([of_a_newer_release(newer)]))
    async with following(Chain(), tmp_path, LogSource(store)) as runner:
        await wait_until(lambda: runner.state is ProjectionState.STOPPED)
    upgraded = EventCodec({**TOPICS, "task.cancelled.v2": TaskCancelled})

    shown = await chain_now(Chain(codec=upgraded), tmp_path, store)

    assert shown == chain_of([1, 2, 3, 4])


@pytest.mark.parametrize("topic", sorted(AGGREGATE_TOPICS))
async def test_an_aggregates_event_is_passed_over_by_a_view_that_does_not_read_it(
    topic: str, store: SqliteEventStore, tmp_path: Path
) -> None:
    await record_lives(store, 1)
    await store.append(Append([an_event(uuid4(), 1, topic=topic)]))
    await record_lives(store, 1)

    shown = await chain_now(Chain(), tmp_path, store)

    assert shown == chain_of([1, 2, 3, 5, 6, 7])


@pytest.mark.parametrize(
    ("topic", "state", "code"),
    [
        ("task.teleported.v1", b"{}", "newer_event"),
        ("task.cancelled.v1", b"{}", "unreadable_event"),
    ],
)
async def test_an_event_that_cannot_be_read_stops_a_view(
    topic: str, state: bytes, code: str, store: SqliteEventStore, tmp_path: Path
) -> None:
    await record_lives(store, 1)
    odd = NewEvent(uuid4(), uuid4(), 1, topic, state, cancelled())
    await store.append(Append([odd]))

    async with following(Chain(), tmp_path, LogSource(store)) as runner:
        await wait_until(lambda: runner.state is ProjectionState.STOPPED)

    assert runner.stopped is not None
    assert (runner.stopped.position, runner.stopped.code) == (4, code)
