"""Releases that run side by side on one log: readers are upgraded first, and late ones stop."""

from collections.abc import AsyncGenerator
from pathlib import Path
from uuid import uuid4

import pytest
import structlog

from pointsman.contracts.decided import Decided
from pointsman.contracts.events import Decision
from pointsman.contracts.recorded import Recorded
from pointsman.contracts.topics import EventCodec
from pointsman.eventstore import SqliteEventStore
from pointsman.eventstore.journal import Journal
from pointsman.eventstore.own_events import OwnEvents
from pointsman.eventstore.ports import Appended
from pointsman.eventstore.projections import LogSource, ProjectionState
from pointsman.eventstore.reading import NewerEventError
from pointsman.testing.waiting import wait_until
from tests.eventstore.projecting import chain_now, following
from tests.support.releases import (
    V1,
    V2,
    cancelled_now,
    cancelled_then,
    new_release,
    old_release,
)
from tests.support.task_events import dead_letter, record, record_lives, stream_of
from tests.support.views import Chain, chain_of, chain_value


@pytest.fixture
async def store(tmp_path: Path) -> AsyncGenerator[SqliteEventStore]:
    async with SqliteEventStore(tmp_path / "log.db") as store:
        yield store


async def write(store: SqliteEventStore, codec: EventCodec, event: Decision) -> int:
    answer = await Journal(store, codec).record(Decided(uuid4(), 0, (event,), "acme"))
    assert isinstance(answer, Appended)
    return answer.positions[0]


async def folded(store: SqliteEventStore, codec: EventCodec, topic: str) -> list[Decision]:
    """What a service of a release makes of the events of one type."""
    found: list[Decision] = []

    def evolve(_: Recorded, event: Decision) -> None:
        found.append(event)

    own = OwnEvents(store, codec, [topic], evolve)
    try:
        await own.load()
    finally:
        own.close()
    return found


async def test_while_the_new_version_is_off_old_readers_read_a_new_writer(
    store: SqliteEventStore, tmp_path: Path
) -> None:
    await write(store, old_release(), cancelled_then())
    await write(store, new_release(), cancelled_now())

    shown = await chain_now(Chain(codec=old_release()), tmp_path, store)

    assert shown == chain_of([1, 2])
    assert await folded(store, old_release(), V1) == [cancelled_then(), cancelled_then()]


async def test_once_it_is_on_new_readers_read_both(store: SqliteEventStore, tmp_path: Path) -> None:
    await write(store, old_release(), cancelled_then())
    await write(store, new_release(V2), cancelled_now("T-7"))

    shown = await chain_now(Chain(codec=new_release()), tmp_path, store)

    assert shown == chain_of([1, 2])
    assert await folded(store, new_release(), V2) == [cancelled_now(), cancelled_now("T-7")]


async def test_an_old_view_stops_there_others_go_on_and_after_the_upgrade_it_resumes(
    store: SqliteEventStore, tmp_path: Path
) -> None:
    await record_lives(store, 1)
    newer = await write(store, new_release(V2), cancelled_now())
    last = await record(store, stream_of(uuid4(), [dead_letter()]))
    letters = Chain("letters", frozenset({"dead_letter.recorded"}))

    with structlog.testing.capture_logs() as said:
        async with (
            following(Chain(codec=old_release()), tmp_path, LogSource(store)) as tasks,
            following(letters, tmp_path, LogSource(store)) as others,
        ):
            await wait_until(lambda: tasks.state is ProjectionState.STOPPED)
            assert await others.caught_up(last, timeout_s=20)
    stopped = [line for line in said if line["event"] == "projection_stopped"]
    resumed = await chain_now(Chain(codec=new_release()), tmp_path, store)

    assert [(line["code"], line["position"], line["topic"]) for line in stopped] == [
        ("newer_event", newer, V2)
    ]
    assert chain_value(others.path) == chain_of([last])
    assert resumed == chain_of([1, 2, 3, newer])


async def test_an_old_service_does_not_start_on_newer_events_of_its_own(
    store: SqliteEventStore,
) -> None:
    await write(store, old_release(), cancelled_then())
    newer = await write(store, new_release(V2), cancelled_now())

    with pytest.raises(NewerEventError) as refused:
        await folded(store, old_release(), V1)

    assert (refused.value.position, refused.value.topic) == (newer, V2)


async def test_an_old_service_passes_over_newer_events_of_others(store: SqliteEventStore) -> None:
    await write(store, new_release(V2), cancelled_now())

    assert await folded(store, old_release(), "task.failed.v1") == []
