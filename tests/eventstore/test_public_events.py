"""What other systems see of the log on `pm.evt.>`."""

import json
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from cloudevents.core.bindings.http import HTTPMessage, from_binary
from cloudevents.core.formats.json import JSONFormat

from pointsman.contracts import cloudevents, subjects
from pointsman.contracts.cloudevents import CloudEvent
from pointsman.contracts.streams import part_id
from pointsman.eventstore.publications import PUBLIC_TYPES, PublicEvents
from pointsman.testing.waiting import wait_until
from tests.eventstore.relaying import Bench, a_bench, headers, published, running
from tests.support.task_events import (
    NOON,
    a_plain_life,
    accepted,
    as_recorded,
    cancelled,
    completed,
    dead_letter,
    granted,
    record,
    record_lives,
    stream_of,
)

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncGenerator[Bench]:
    async with a_bench(tmp_path) as bench:
        yield bench


async def test_each_public_event_is_one_message_on_its_own_subject(bench: Bench) -> None:
    await record(bench.store, a_plain_life())
    last = await record(bench.store, stream_of(uuid4(), [accepted(), cancelled()]))
    relay = bench.relay(PublicEvents("main"))

    async with running(relay):
        await published(relay, last)

    assert [message.subject for message in await bench.messages(subjects.EVENT_STREAM)] == [
        "pm.evt.task.accepted",
        "pm.evt.task.completed",
        "pm.evt.task.accepted",
        "pm.evt.task.cancelled",
    ]


async def test_the_independent_judge_reads_an_event_as_it_was_recorded(bench: Bench) -> None:
    event, *_ = stream_of(uuid4(), [accepted(traceparent=TRACE)])
    await record(bench.store, [event])
    relay = bench.relay(PublicEvents("main pool"))

    async with running(relay):
        await published(relay, 1)

    (message,) = await bench.messages(subjects.EVENT_STREAM)
    attributes = headers(message)
    # The HTTP binding is the NATS binding but for the place of the content type.
    http = {name: value for name, value in attributes.items() if name.startswith("ce-")}
    http["Content-Type"] = http.pop("ce-datacontenttype")
    judged = from_binary(HTTPMessage(http, message.data or b""), JSONFormat())
    (recorded,) = await bench.store.read(0)
    assert judged.get_id() == str(event.id)
    assert judged.get_type() == "task.accepted.v1"
    assert judged.get_source() == "/pointsman/main pool"
    assert judged.get_subject() == str(event.stream)
    assert judged.get_time() == datetime.fromtimestamp(recorded.time_us / 1e6, UTC)
    assert judged.get_extension("sequence") == "1"
    assert judged.get_extension("traceparent") == TRACE
    assert judged.get_extension("correlationid") == 'a "correlation" of 100 %'
    assert judged.get_data() == json.loads(event.state)


def test_the_headers_are_those_of_the_contract() -> None:
    (recorded,) = as_recorded(stream_of(uuid4(), [accepted(traceparent=TRACE)]))

    (outgoing,) = PublicEvents("main").messages([recorded], after=0)

    parsed = cloudevents.parse(outgoing.headers, outgoing.body)
    assert cloudevents.binary_headers(parsed) == outgoing.headers
    assert parsed == CloudEvent(
        specversion="1.0",
        id=str(recorded.id),
        source="/pointsman/main",
        type="task.accepted.v1",
        subject=str(recorded.stream),
        time=datetime.fromtimestamp(NOON, UTC).replace(microsecond=1),
        datacontenttype="application/json",
        sequence="1",
        traceparent=TRACE,
        correlationid='a "correlation" of 100 %',
        data=json.loads(bytes(recorded.data)),
    )


def test_payloads_and_results_are_references() -> None:
    recorded = as_recorded(stream_of(uuid4(), [accepted(), granted(), completed()]))

    first, last = PublicEvents("main").messages(recorded, after=0)

    assert set(json.loads(first.body)["payload"]) <= {"digest", "size", "media_type", "shard"}
    assert set(json.loads(last.body)["result"]) <= {"digest", "size", "media_type", "shard"}


def test_a_dead_letter_does_not_show_the_headers_of_its_sender() -> None:
    recorded = as_recorded(stream_of(uuid4(), [dead_letter()]))

    (outgoing,) = PublicEvents("main").messages(recorded, after=0)

    assert b"secret" not in outgoing.body
    assert json.loads(outgoing.body)["code"] == "not_json"


def test_only_types_that_are_switched_on_are_published() -> None:
    recorded = as_recorded(a_plain_life())

    outgoing = list(PublicEvents("main", ["task.granted"]).messages(recorded, after=0))

    assert [(message.subject, message.first, message.last) for message in outgoing] == [
        ("pm.evt.task.granted", 1, 2)
    ]
    assert "task.granted" not in PUBLIC_TYPES


async def test_what_is_not_published_is_not_read_again_after_a_restart(bench: Bench) -> None:
    relay = bench.relay(PublicEvents("main", ["task.cancelled"]))

    async with running(relay):
        last = await record_lives(bench.store, 20)
        await published(relay, last)

        async def floor_position() -> bool:
            floor = await bench.store.floor(subjects.EVENT_STREAM)
            return floor is not None and (floor.sequence, floor.position) == (0, last)

        await wait_until(floor_position)
    again = bench.relay(PublicEvents("main", ["task.accepted"]))
    async with running(again):
        end = await record_lives(bench.store, 1)
        await published(again, end)

    (message,) = await bench.messages(subjects.EVENT_STREAM)
    assert headers(message)["ce-sequence"] == str(last + 1)


def test_parts_of_other_tasks_are_nobody_elses_business() -> None:
    whole = uuid4()
    events = as_recorded([*a_plain_life(whole), *a_plain_life(part_id(whole, 1))])

    told = list(PublicEvents("main").messages(events, after=0))

    assert {message.headers["ce-subject"] for message in told} == {str(whole)}
