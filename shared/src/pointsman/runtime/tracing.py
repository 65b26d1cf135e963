"""W3C trace context as the plain string that commands and events carry."""

import random
from collections.abc import Mapping
from typing import Final

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, SpanContext
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

TRACEPARENT: Final = "traceparent"

_propagator: Final = TraceContextTextMapPropagator()


def current_traceparent() -> str | None:
    """The `traceparent` of the running span, None outside of one."""
    context = trace.get_current_span().get_span_context()
    return _written(context) if context.is_valid else None


def new_traceparent(*, sampled: bool = False) -> str:
    """A `traceparent` for work that nobody traces yet, so that its parts can be found together."""
    return f"00-{random.getrandbits(128) | 1:032x}-{random.getrandbits(64) | 1:016x}-0{sampled:d}"


def context_of(traceparent: str | None) -> Context:
    """The context to continue; an empty one for None and for text that is no `traceparent`."""
    return _propagator.extract({TRACEPARENT: traceparent}, Context()) if traceparent else Context()


def link_to(traceparent: str | None) -> Link | None:
    """A link to the span that `traceparent` names."""
    context = trace.get_current_span(context_of(traceparent)).get_span_context()
    return Link(context) if context.is_valid else None


def _written(context: SpanContext) -> str:
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def traceparent_of(headers: Mapping[str, str] | None) -> str | None:
    """The `traceparent` of a message: its own header, or that of a CloudEvent in binary mode."""
    if not headers:
        return None
    return headers.get(TRACEPARENT) or headers.get("ce-traceparent")
