import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nats.aio.msg import Msg
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import HistogramDataPoint, InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from pointsman.contracts import subjects
from pointsman.contracts.commands import Answer, Done, NotLeader, SubmitTask, decode_answers
from pointsman.runtime.acknowledgement import DeadLetter, TransientError, settle
from pointsman.runtime.broker import body_decoder, build_broker
from pointsman.runtime.connection import Connection
from pointsman.runtime.packing import PackedRequests
from pointsman.runtime.puller import Puller
from pointsman.runtime.settings import NatsSettings
from pointsman.runtime.streams import provision
from pointsman.runtime.telemetry import (
    DURATION_BUCKETS_S,
    MessagingTelemetry,
    process_telemetry,
    template_of,
)
from pointsman.runtime.tracing import current_traceparent, link_to
from pointsman.testing.waiting import PATIENCE_S

ORIGIN = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
OTHER = "00-11111111111111111111111111111111-2222222222222222-01"
SUBMIT = subjects.command("scheduler", "submit", "default")


class Recording:
    """A telemetry whose spans and metrics stay in memory."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self._reader = InMemoryMetricReader()
        tracers = TracerProvider()
        tracers.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.telemetry = MessagingTelemetry(tracers, MeterProvider([self._reader]))

    def spans(self) -> Sequence[ReadableSpan]:
        return self._exporter.get_finished_spans()

    def span(self, name: str) -> ReadableSpan:
        [found] = [span for span in self.spans() if span.name == name]
        return found

    def points(self, metric: str) -> list[Any]:
        data = self._reader.get_metrics_data()
        assert data is not None
        return [
            point
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for each in scope.metrics
            if each.name == metric
            for point in each.data.data_points
        ]


class Nowhere:
    async def record(self, letter: DeadLetter) -> None:
        pass


@pytest.fixture
def recording() -> Recording:
    return Recording()


def trace_id(span: ReadableSpan) -> str:
    assert span.context is not None
    return f"{span.context.trace_id:032x}"


def task(number: int, traceparent: str | None = None) -> SubmitTask:
    return SubmitTask(
        command_id=str(number), tenant="acme", family="embed", traceparent=traceparent
    )


@pytest.mark.parametrize(
    ("subject", "template"),
    [
        (subjects.inbox("acme"), "pm.inbox.tasks.{tenant}"),
        (subjects.answer("acme", "m-1"), "pm.answer.{tenant}.{message_id}"),
        (subjects.command("scheduler", "submit", "gpu"), "pm.cmd.scheduler.{pool}.submit"),
        (subjects.command("cli", "stop"), "pm.cmd.cli.stop"),
        (subjects.query("scheduler", "tasks"), "pm.query.scheduler.tasks"),
        (subjects.lease("gpu", "e1"), "pm.lease.{pool}.{executor}"),
        (subjects.renewals("gpu"), "pm.tel.lease.{pool}"),
        (subjects.event("task.accepted.v1"), "pm.evt.task.accepted"),
        (subjects.FEED, "pm.feed"),
        ("_INBOX_cli.abc.1", "(temporary)"),
        ("$JS.ACK.PM_INBOX.scheduler.1.2.3.4.5", "$JS.ACK"),
        ("customer.42", "(other)"),
    ],
)
def test_a_template_names_the_kind_of_a_subject(subject: str, template: str) -> None:
    assert template_of(subject) == template


@given(name=st.from_regex(r"[a-z0-9]{9,20}", fullmatch=True))
def test_no_id_is_in_a_template(name: str) -> None:
    made = [
        subjects.inbox(name),
        subjects.answer(name, name),
        subjects.command("scheduler", "submit", name),
        subjects.lease(name, name),
        subjects.renewals(name),
        f"pm.stream.{name}",
    ]

    assert all(name not in template_of(subject) for subject in made)


def test_without_an_sdk_nothing_is_recorded() -> None:
    assert not process_telemetry().enabled


async def test_a_single_command_continues_its_trace_and_links_to_it(
    nc: Connection, nats_settings: NatsSettings, recording: Recording
) -> None:
    await _submit(nc, nats_settings, recording, [task(1, ORIGIN)])

    span = recording.span("process pm.cmd.scheduler.{pool}.submit")
    assert span.kind is SpanKind.CONSUMER
    assert span.parent is not None
    assert f"{span.parent.trace_id:032x}" == ORIGIN[3:35]
    assert [f"{link.context.span_id:016x}" for link in span.links] == [ORIGIN[36:52]]
    assert dict(span.attributes or {}) == {
        "messaging.system": "nats",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.template": "pm.cmd.scheduler.{pool}.submit",
        "messaging.destination.name": SUBMIT,
    }


async def test_a_batch_only_links_to_its_traces(
    nc: Connection, nats_settings: NatsSettings, recording: Recording
) -> None:
    await _submit(nc, nats_settings, recording, [task(1, ORIGIN), task(2), task(3, OTHER)])

    span = recording.span("process pm.cmd.scheduler.{pool}.submit")
    assert span.parent is None
    assert [f"{link.context.trace_id:032x}" for link in span.links] == [ORIGIN[3:35], OTHER[3:35]]
    assert (span.attributes or {})["messaging.batch.message_count"] == 3


async def test_a_handler_that_fails_is_recorded_although_it_is_answered(
    nc: Connection, nats_settings: NatsSettings, recording: Recording
) -> None:
    await _submit(nc, nats_settings, recording, [task(1)], error=TransientError("busy"))

    span = recording.span("process pm.cmd.scheduler.{pool}.submit")
    assert span.status.status_code is StatusCode.ERROR
    assert (span.attributes or {})["error.type"] == "TransientError"
    [point] = recording.points("messaging.process.duration")
    assert point.attributes["error.type"] == "TransientError"


async def test_durations_have_the_advised_buckets_and_no_ids(
    nc: Connection, nats_settings: NatsSettings, recording: Recording
) -> None:
    await _submit(nc, nats_settings, recording, [task(1)])

    [point] = recording.points("messaging.process.duration")
    assert isinstance(point, HistogramDataPoint)
    assert tuple(point.explicit_bounds) == DURATION_BUCKETS_S
    assert dict(point.attributes or {}) == {
        "messaging.system": "nats",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.template": "pm.cmd.scheduler.{pool}.submit",
    }


async def test_packed_requests_are_published_as_one_batch(
    nc: Connection, nats_settings: NatsSettings, recording: Recording
) -> None:
    await _submit(nc, nats_settings, recording, [task(1, ORIGIN), task(2, OTHER)])

    span = recording.span("publish pm.cmd.scheduler.{pool}.submit")
    assert span.kind is SpanKind.PRODUCER
    assert (span.attributes or {})["messaging.batch.message_count"] == 2
    assert (span.attributes or {})["messaging.operation.type"] == "send"
    [sent] = recording.points("messaging.client.sent.messages")
    assert sent.value == 2


async def test_an_inbox_message_is_fetched_processed_and_settled_in_one_trace(
    nc: Connection, recording: Recording
) -> None:
    await provision(nc)
    puller = Puller(
        nc, subjects.INBOX_STREAM, subjects.INBOX_CONSUMER, telemetry=recording.telemetry
    )
    headers = {"ce-id": "m-1", "ce-traceparent": ORIGIN}
    await nc.jetstream().publish(subjects.inbox("acme"), b"{}", headers=headers)
    [message] = await puller.next()
    inside: list[str | None] = []

    async def work(_message: Msg) -> None:
        inside.append(current_traceparent())

    await settle(message, work, Nowhere(), telemetry=recording.telemetry)

    names = [span.name for span in recording.spans()]
    assert names == [f"{each} pm.inbox.tasks.{{tenant}}" for each in ("fetch", "process", "ack")]
    processed = recording.span("process pm.inbox.tasks.{tenant}")
    attributes = processed.attributes or {}
    assert attributes["messaging.message.id"] == "m-1"
    assert attributes["messaging.consumer.group.name"] == "scheduler"
    assert attributes["pointsman.nats.delivery.attempt"] == 1
    assert inside[0] is not None
    assert inside[0][3:35] == ORIGIN[3:35]
    assert {trace_id(span) for span in recording.spans()} == {ORIGIN[3:35]}
    [consumed] = recording.points("messaging.client.consumed.messages")
    assert consumed.value == 1
    await puller.stop()


def test_a_traceparent_survives_being_carried(recording: Recording) -> None:
    with recording.telemetry.operation("publish", subjects.FEED, origins=[ORIGIN]):
        carried = current_traceparent()

    link = link_to(carried)
    assert link is not None
    assert f"{link.context.trace_id:032x}" == ORIGIN[3:35]
    assert current_traceparent() is None


async def _submit(
    nc: Connection,
    settings: NatsSettings,
    recording: Recording,
    commands: list[SubmitTask],
    error: Exception | None = None,
) -> None:
    """Ask through our own packing and FastStream, both watched."""
    fatal: list[Exception] = []
    broker = build_broker(
        settings, name="test", on_fatal=fatal.append, telemetry=recording.telemetry
    )

    @broker.subscriber(SUBMIT, decoder=body_decoder(list[SubmitTask]))
    async def submit(commands: list[SubmitTask]) -> list[Answer]:
        if error is not None:
            raise error
        return [Done() for _ in commands]

    await broker.start()
    if error is not None:
        await nc.request(SUBMIT, msgspec.json.encode(commands), timeout=PATIENCE_S)
    else:
        asker: PackedRequests[SubmitTask, Answer] = PackedRequests(
            nc,
            SUBMIT,
            decode_answers=decode_answers,
            is_not_leader=lambda answer: isinstance(answer, NotLeader),
            telemetry=recording.telemetry,
        )
        await asyncio.gather(*(asker.ask(command) for command in commands))
        await asker.stop()
    await broker.stop()
