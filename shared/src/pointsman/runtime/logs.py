"""Structured logs on stderr, one line per fact, with the trace that it belongs to."""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, Final, Literal

import structlog
from opentelemetry import trace

# They log each connection attempt or each message at INFO; our own lines say it once.
_QUIET_LIBRARIES: Final = ("nats", "faststream", "asyncio", "opentelemetry", "grpc")

# Variables on the way to a defect hold passwords and the contents of tasks.
_WITHOUT_LOCALS: Final = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)


def setup_logs(
    service: str,
    *,
    level: str = "info",
    style: Literal["json", "console"] = "json",
) -> None:
    """Send structlog and the standard library's loggers to stderr; call once, in `__main__`."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _service(service),
        _trace_ids,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.processors.StackInfoRenderer(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=_renderers(style))
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name in _QUIET_LIBRARIES:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))


def _renderers(style: str) -> list[structlog.typing.Processor]:
    remove = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    if style == "console":
        plain = structlog.dev.plain_traceback
        console = structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=plain
        )
        return [remove, console]
    return [
        remove,
        structlog.processors.ExceptionRenderer(_WITHOUT_LOCALS),
        structlog.processors.JSONRenderer(default=str),
    ]


def _service(name: str) -> structlog.typing.Processor:
    def add(
        _logger: Any,  # noqa: ANN401 - structlog's shape
        _method: str,
        event: MutableMapping[str, Any],
    ) -> MutableMapping[str, Any]:
        event["service"] = name
        return event

    return add


def _trace_ids(
    _logger: Any,  # noqa: ANN401 - structlog's shape
    _method: str,
    event: MutableMapping[str, Any],
) -> MutableMapping[str, Any]:
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        event["trace_id"] = trace.format_trace_id(context.trace_id)
        event["span_id"] = trace.format_span_id(context.span_id)
    return event
