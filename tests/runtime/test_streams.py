import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
from nats.js.api import (
    AckPolicy,
    ConsumerConfig,
    PersistMode,
    RetentionPolicy,
    StreamConfig,
)
from nats.js.errors import APIError, NotFoundError

from pointsman.contracts import subjects
from pointsman.runtime.connection import Connection
from pointsman.runtime.servers.nats import DEFAULT_MAX_FILE_STORE_BYTES
from pointsman.runtime.streams import (
    INCARNATION,
    StreamMismatchError,
    incarnation,
    plans,
    provision,
    provision_consumer,
)

ALL = [
    subjects.INBOX_STREAM,
    subjects.FEEDBACK_STREAM,
    subjects.FEED_STREAM,
    subjects.EVENT_STREAM,
]


async def test_missing_streams_are_created_with_an_incarnation_each(nc: Connection) -> None:
    made = await provision(nc)

    assert [each.stream for each in made] == ALL
    assert all(each.created for each in made)
    assert [await incarnation(nc, each.stream) for each in made] == [
        each.incarnation for each in made
    ]
    assert len({each.incarnation for each in made}) == len(ALL)


async def test_provisioning_again_changes_nothing(nc: Connection) -> None:
    made = await provision(nc)

    again = await provision(nc)

    assert again == [replace(each, created=False) for each in made]


async def test_provisioners_that_race_agree(
    new_connection: Callable[[], Awaitable[Connection]],
) -> None:
    connections = [await new_connection() for _ in range(4)]

    made = await asyncio.gather(*(provision(each) for each in connections))

    incarnations = {tuple(each.incarnation for each in one) for one in made}
    assert len(incarnations) == 1
    assert all(each.repaired == () for one in made for each in one)


async def test_a_stream_made_anew_gets_another_incarnation(nc: Connection) -> None:
    [first, *_] = await provision(nc)
    await nc.jsm().delete_stream(subjects.INBOX_STREAM)

    [second, *_] = await provision(nc)

    assert second.created
    assert second.incarnation != first.incarnation


async def test_only_the_work_queues_sync_every_write(nc: Connection) -> None:
    await provision(nc)

    modes = [(await nc.jsm().stream_info(name)).config.persist_mode for name in ALL]

    assert modes == [None, None, PersistMode.ASYNC.value, PersistMode.ASYNC.value]


async def test_settings_that_were_changed_are_set_back_and_nothing_is_lost(nc: Connection) -> None:
    await provision(nc)
    await nc.jetstream().publish(subjects.inbox("acme"), b"kept")
    info = await nc.jsm().stream_info(subjects.INBOX_STREAM)
    await nc.jsm().update_stream(info.config.evolve(max_bytes=4096, duplicate_window=10.0))

    [inbox, *_] = await provision(nc)

    after = await nc.jsm().stream_info(subjects.INBOX_STREAM)
    assert set(inbox.repaired) == {"max_bytes", "duplicate_window"}
    assert after.config.max_bytes == plans()[0].config.max_bytes
    assert after.state.messages == 1
    assert (after.config.metadata or {})[INCARNATION] == inbox.incarnation


async def test_what_somebody_added_to_a_stream_stays(nc: Connection) -> None:
    await provision(nc)
    info = await nc.jsm().stream_info(subjects.FEED_STREAM)
    metadata = dict(info.config.metadata or {}) | {"owner": "ops"}
    await nc.jsm().update_stream(info.config.evolve(max_msgs=5, metadata=metadata, max_bytes=4096))

    await provision(nc)

    config = (await nc.jsm().stream_info(subjects.FEED_STREAM)).config
    assert (config.max_msgs, (config.metadata or {})["owner"]) == (5, "ops")


async def test_a_changed_consumer_is_set_back(nc: Connection) -> None:
    await provision(nc)
    info = await nc.jsm().consumer_info(subjects.INBOX_STREAM, subjects.INBOX_CONSUMER)
    await nc.jsm().add_consumer(
        subjects.INBOX_STREAM, info.config.evolve(ack_wait=1.0, max_deliver=3)
    )

    [inbox, *_] = await provision(nc)

    after = await nc.jsm().consumer_info(subjects.INBOX_STREAM, subjects.INBOX_CONSUMER)
    assert set(inbox.repaired) == {"scheduler.ack_wait", "scheduler.max_deliver"}
    assert (after.config.ack_wait, after.config.max_deliver) == (10.0, -1)


async def test_a_service_makes_its_consumer_of_a_stream_once(nc: Connection) -> None:
    await provision(nc)
    plan = ConsumerConfig(durable_name="feedback", ack_policy=AckPolicy.EXPLICIT, ack_wait=30.0)

    for _ in range(2):
        await provision_consumer(nc, subjects.FEED_STREAM, plan)

    found = await nc.jsm().consumer_info(subjects.FEED_STREAM, "feedback")
    assert (found.config.ack_wait, found.config.ack_policy) == (30.0, AckPolicy.EXPLICIT)


async def test_a_service_sets_its_consumer_back_and_keeps_its_place(nc: Connection) -> None:
    await provision(nc)
    plan = ConsumerConfig(durable_name="feedback", ack_policy=AckPolicy.EXPLICIT, ack_wait=30.0)
    await provision_consumer(nc, subjects.FEED_STREAM, plan.evolve(ack_wait=1.0))
    await nc.jetstream().publish(subjects.FEED, b"[]")
    bound = await nc.jetstream().pull_subscribe_bind("feedback", subjects.FEED_STREAM)
    (message,) = await bound.fetch(1)
    await message.ack_sync()

    await provision_consumer(nc, subjects.FEED_STREAM, plan)

    found = await nc.jsm().consumer_info(subjects.FEED_STREAM, "feedback")
    assert found.config.ack_wait == 30.0
    assert found.ack_floor is not None
    assert (found.ack_floor.stream_seq, found.num_pending) == (1, 0)


async def test_a_consumer_of_a_stream_that_is_not_there_is_told(nc: Connection) -> None:
    plan = ConsumerConfig(durable_name="feedback", ack_policy=AckPolicy.EXPLICIT)

    with pytest.raises(NotFoundError):
        await provision_consumer(nc, subjects.FEED_STREAM, plan)


async def test_a_consumer_that_cannot_be_set_back_is_reported(nc: Connection) -> None:
    await provision(nc)
    plan = ConsumerConfig(durable_name="feedback", ack_policy=AckPolicy.EXPLICIT)
    await provision_consumer(nc, subjects.FEED_STREAM, plan.evolve(ack_policy=AckPolicy.NONE))

    with pytest.raises(StreamMismatchError, match=r"PM_FEED\.feedback"):
        await provision_consumer(nc, subjects.FEED_STREAM, plan)


@pytest.mark.parametrize("send", [subjects.inbox, subjects.feedback])
async def test_a_full_work_queue_tells_the_sender_and_drops_nothing(
    nc: Connection, send: Callable[[str], str]
) -> None:
    await provision(nc, plans(max_bytes=16 * 4096))
    subject = send("acme")
    refused, kept = None, 0

    while refused is None:
        try:
            await nc.jetstream().publish(subject, b"x" * 1024)
            kept += 1
        except APIError as error:
            refused = error

    stream = await nc.jetstream().find_stream_name_by_subject(subject)
    assert "maximum bytes exceeded" in str(refused)
    assert (await nc.jsm().stream_info(stream)).state.messages == kept > 0


def test_a_local_server_has_room_for_all_streams() -> None:
    reserved = sum(plan.config.max_bytes or 0 for plan in plans())

    assert reserved < DEFAULT_MAX_FILE_STORE_BYTES


async def test_a_stream_that_cannot_be_set_back_is_reported_and_left_alone(nc: Connection) -> None:
    await nc.jsm().add_stream(
        StreamConfig(
            name=subjects.INBOX_STREAM,
            subjects=[subjects.INBOX_SUBJECTS],
            retention=RetentionPolicy.LIMITS,
        )
    )
    await nc.jetstream().publish(subjects.inbox("acme"), b"kept")

    with pytest.raises(StreamMismatchError, match="retention") as caught:
        await provision(nc)

    assert caught.value.differences["retention"] == ("limits", RetentionPolicy.WORK_QUEUE)
    assert (await nc.jsm().stream_info(subjects.INBOX_STREAM)).state.messages == 1


async def test_published_events_can_neither_be_deleted_nor_purged(nc: Connection) -> None:
    await provision(nc)
    await nc.jetstream().publish(subjects.FEED, b"[]")

    with pytest.raises(APIError):
        await nc.jsm().purge_stream(subjects.FEED_STREAM)
    with pytest.raises(APIError):
        await nc.jsm().delete_msg(subjects.FEED_STREAM, 1)


async def test_a_repeated_message_id_is_stored_once(nc: Connection) -> None:
    await provision(nc)
    subject, headers = subjects.inbox("acme"), {"Nats-Msg-Id": "once"}

    await nc.jetstream().publish(subject, b"1", headers=headers)
    again = await nc.jetstream().publish(subject, b"1", headers=headers)

    assert again.duplicate
