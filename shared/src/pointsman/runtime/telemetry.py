"""OpenTelemetry for messages, by the semantic conventions 1.44 (messaging, development).

`publish`, `fetch`, `process` and settle spans are named `{operation} {template}`: no id is ever in
a name or on a metric. A single message continues the trace of its creation and links to it too; a
batch starts a trace of its own and only links.
"""

import functools
import time
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Final, Self

from opentelemetry import context as otel_context
from opentelemetry import metrics, trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, Span, SpanKind, StatusCode

from pointsman.runtime.tracing import context_of, link_to

SCHEMA_URL: Final = "https://opentelemetry.io/schemas/1.44.0"
SCOPE: Final = "pointsman.runtime"
DURATION_BUCKETS_S: Final = (
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
)  # fmt: skip
MAX_LINKS: Final = 128
"""The SDK keeps no more; the number of messages is an attribute."""

_TYPES: Final = {"publish": "send", "fetch": "receive", "process": "process"}
_KINDS: Final = {"publish": SpanKind.PRODUCER, "process": SpanKind.CONSUMER}
_COMMAND_WITH_POOL: Final = 5
_TEMPLATES: Final = {
    "inbox": ("pm", "inbox", "tasks", "{tenant}"),
    "answer": ("pm", "answer", "{tenant}", "{message_id}"),
    "lease": ("pm", "lease", "{pool}", "{executor}"),
    "stream": ("pm", "stream", "{task}"),
}
_AS_IT_IS: Final = frozenset({"cmd", "query", "evt", "feed"})


def template_of(subject: str) -> str:
    """The subject with every id replaced by what it is; of few values, whatever is published."""
    tokens = subject.split(".")
    if tokens[0] == "pm" and len(tokens) > 1:
        kind = tokens[1]
        template = _TEMPLATES.get(kind)
        if template is not None:
            return ".".join(template)
        if kind == "tel":
            return ".".join((*tokens[:3], "{pool}")) if len(tokens) > len("tel") else subject
        if kind == "cmd" and len(tokens) == _COMMAND_WITH_POOL:
            return f"pm.cmd.{tokens[2]}.{{pool}}.{tokens[4]}"
        if kind in _AS_IT_IS:
            return subject
    if tokens[0].startswith("_INBOX"):
        return "(temporary)"
    return ".".join(tokens[:2]) if tokens[0] == "$JS" else "(other)"


class MessagingTelemetry:
    """Spans and metrics of messages; does nothing where no SDK was set up before it was made."""

    def __init__(
        self,
        tracer_provider: trace.TracerProvider | None = None,
        meter_provider: metrics.MeterProvider | None = None,
    ) -> None:
        given = tracer_provider is not None or meter_provider is not None
        self.enabled = given or _sdk_is_set_up()
        self._tracer = trace.get_tracer(
            SCOPE, tracer_provider=tracer_provider, schema_url=SCHEMA_URL
        )
        meter = metrics.get_meter(SCOPE, meter_provider=meter_provider, schema_url=SCHEMA_URL)
        self._operation_duration = meter.create_histogram(
            "messaging.client.operation.duration",
            unit="s",
            description="Duration of a publish, fetch or settle operation",
            explicit_bucket_boundaries_advisory=DURATION_BUCKETS_S,
        )
        self._process_duration = meter.create_histogram(
            "messaging.process.duration",
            unit="s",
            description="Duration of processing one message or batch",
            explicit_bucket_boundaries_advisory=DURATION_BUCKETS_S,
        )
        self._sent = meter.create_counter(
            "messaging.client.sent.messages",
            unit="{message}",
            description="Messages that were handed to the bus",
        )
        self._consumed = meter.create_counter(
            "messaging.client.consumed.messages",
            unit="{message}",
            description="Messages that were delivered",
        )

    def operation(
        self,
        name: str,
        subject: str,
        *,
        messages: int = 1,
        message_id: str | None = None,
        conversation_id: str | None = None,
        group: str | None = None,
        origins: Sequence[str | None] = (),
        extra: Mapping[str, str | int] | None = None,
    ) -> "Operation":
        """A span around `publish`, `fetch`, `process`, `ack`, `nak` or `term`, used with `with`.

        `origins` are the `traceparent`s of the messages, `group` the durable consumer. An exception
        that leaves the block is recorded as `error.type`.
        """
        if not self.enabled:
            return _OFF
        common: dict[str, str | int] = {
            "messaging.system": "nats",
            "messaging.operation.name": name,
            "messaging.operation.type": _TYPES.get(name, "settle"),
            "messaging.destination.template": template_of(subject),
        }
        if group is not None:
            common["messaging.consumer.group.name"] = group
        attributes = common | {"messaging.destination.name": subject} | dict(extra or {})
        if message_id is not None:
            attributes["messaging.message.id"] = message_id
        if conversation_id is not None:
            attributes["messaging.message.conversation_id"] = conversation_id
        if messages != 1:
            attributes["messaging.batch.message_count"] = messages
        return _Recorded(self, name, common, attributes, messages, origins)

    def start(
        self, name: str, attributes: Mapping[str, str | int], origins: Sequence[str | None]
    ) -> Span:
        """The span of an operation; see `operation`."""
        return self._tracer.start_span(
            f"{name} {attributes['messaging.destination.template']}",
            context=_parent(origins),
            kind=_KINDS.get(name, SpanKind.CLIENT),
            attributes=attributes,
            links=_links(origins),
        )

    def measure(
        self, name: str, attributes: Mapping[str, str | int], messages: int, duration_s: float
    ) -> None:
        """The metrics of a finished operation."""
        if name == "process":
            self._process_duration.record(duration_s, attributes)
            return
        self._operation_duration.record(duration_s, attributes)
        if name == "publish":
            self._sent.add(messages, attributes)
        elif name == "fetch":
            self._consumed.add(messages, attributes)

    def consumed(self, subject: str, messages: int = 1) -> None:
        """Count messages that came without a fetch, through a core subscription."""
        if self.enabled:
            attributes = {
                "messaging.system": "nats",
                "messaging.operation.name": "process",
                "messaging.destination.template": template_of(subject),
            }
            self._consumed.add(messages, attributes)


def process_telemetry() -> MessagingTelemetry:
    """What the global providers record; made once for each of them."""
    return _telemetry_of(trace.get_tracer_provider())


@functools.lru_cache(maxsize=1)
def _telemetry_of(_provider: trace.TracerProvider) -> MessagingTelemetry:
    return MessagingTelemetry()


class Operation:
    """Without an SDK: nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace_back: TracebackType | None,
    ) -> None:
        return None


_OFF: Final = Operation()


class _Recorded(Operation):
    def __init__(
        self,
        telemetry: MessagingTelemetry,
        name: str,
        common: dict[str, str | int],
        attributes: Mapping[str, str | int],
        messages: int,
        origins: Sequence[str | None],
    ) -> None:
        self._telemetry = telemetry
        self._name = name
        self._common = common
        self._attributes = attributes
        self._messages = messages
        self._origins = origins

    def __enter__(self) -> Self:
        self._begun_at = time.perf_counter()
        self._span = self._telemetry.start(self._name, self._attributes, self._origins)
        self._token = otel_context.attach(trace.set_span_in_context(self._span))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace_back: TracebackType | None,
    ) -> None:
        duration_s = time.perf_counter() - self._begun_at
        otel_context.detach(self._token)
        if error is not None:
            self._common["error.type"] = type(error).__name__
            self._span.set_attribute("error.type", type(error).__name__)
            self._span.record_exception(error)
            self._span.set_status(StatusCode.ERROR, str(error))
        self._span.end()
        self._telemetry.measure(self._name, self._common, self._messages, duration_s)


def _parent(origins: Sequence[str | None]) -> Context | None:
    if not origins:
        return None
    return context_of(origins[0]) if len(origins) == 1 else Context()


def _links(origins: Iterable[str | None]) -> list[Link]:
    links = (link_to(origin) for origin in origins)
    return [link for link in links if link is not None][:MAX_LINKS]


def _sdk_is_set_up() -> bool:
    return not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)
