"""Where spans and metrics go; without a destination no SDK is loaded at all."""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from opentelemetry import metrics, trace

from pointsman.runtime.settings import ServiceSettings

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import MetricExporter
    from opentelemetry.sdk.trace.export import SpanExporter


def setup_telemetry(service_name: str, settings: ServiceSettings) -> Callable[[], None]:
    """Export as the settings say; the result flushes and ends it, which takes seconds at most.

    OTLP over HTTP when an endpoint is set, console (stderr) when asked for, otherwise nothing: the
    API then stays a no-op. Where an SDK is set up already nothing changes: the first service of a
    process names it.
    """
    if not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        return _nothing
    if settings.otlp_endpoint is not None:
        spans, measures = _otlp(settings.otlp_endpoint.rstrip("/"))
    elif settings.telemetry == "console":
        spans, measures = _console()
    else:
        return _nothing
    return _export(service_name, spans, measures)


def _nothing() -> None:
    pass


# The SDK and its exporters cost 100 ms and 15 MB at import; a process without a destination for
# them never loads them.


def _otlp(endpoint: str) -> "tuple[SpanExporter, MetricExporter]":
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import (  # noqa: PLC0415 - as above
        OTLPMetricExporter,
    )
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415 - as above
        OTLPSpanExporter,
    )

    return (
        OTLPSpanExporter(endpoint=f"{endpoint}/v1/traces"),
        OTLPMetricExporter(endpoint=f"{endpoint}/v1/metrics"),
    )


def _console() -> "tuple[SpanExporter, MetricExporter]":
    from opentelemetry.sdk.metrics.export import (  # noqa: PLC0415 - as above
        ConsoleMetricExporter,
    )
    from opentelemetry.sdk.trace.export import ConsoleSpanExporter  # noqa: PLC0415 - as above

    return ConsoleSpanExporter(out=sys.stderr), ConsoleMetricExporter(out=sys.stderr)


def _export(
    service_name: str, spans: "SpanExporter", measures: "MetricExporter"
) -> Callable[[], None]:
    from opentelemetry.sdk.metrics import MeterProvider  # noqa: PLC0415 - as above
    from opentelemetry.sdk.metrics.export import (  # noqa: PLC0415 - as above
        PeriodicExportingMetricReader,
    )
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - as above
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 - as above
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415 - as above

    resource = Resource.create({"service.name": service_name, "service.namespace": "pointsman"})
    tracers = TracerProvider(resource=resource)
    tracers.add_span_processor(BatchSpanProcessor(spans))
    meters = MeterProvider(
        metric_readers=[PeriodicExportingMetricReader(measures)], resource=resource
    )
    trace.set_tracer_provider(tracers)
    metrics.set_meter_provider(meters)

    def shutdown() -> None:
        tracers.shutdown()
        meters.shutdown()

    return shutdown
