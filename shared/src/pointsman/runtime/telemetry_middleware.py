"""Spans and metrics of FastStream handlers; FastStream's own have old names and wrong buckets."""

from collections.abc import Awaitable, Callable
from typing import Any, cast

from faststream import ContextRepo
from faststream.message import StreamMessage
from faststream.middlewares import BaseMiddleware
from faststream.nats.response import NatsPublishCommand
from faststream.response.publish_type import PublishType
from nats.aio.msg import Msg

from pointsman.runtime.telemetry import MessagingTelemetry
from pointsman.runtime.tracing import TRACEPARENT, current_traceparent


class TelemetryMiddleware(BaseMiddleware[NatsPublishCommand, Msg]):
    """Spans and metrics of FastStream handlers and of what they publish."""

    def __init__(
        self, message: Msg | None, /, *, context: ContextRepo, telemetry: MessagingTelemetry
    ) -> None:
        super().__init__(message, context=context)  # pyright: ignore[reportArgumentType] - None: a publish
        self._telemetry = telemetry

    async def consume_scope(
        self, call_next: Callable[[Any], Awaitable[object]], msg: StreamMessage[Msg]
    ) -> object:
        """An array is a batch, whose elements may carry a `traceparent` of their own."""
        try:
            body: object = await msg.decode()
        except Exception:  # noqa: BLE001 - the handler meets it again and has it answered
            body = None
        items = cast("list[object]", body) if isinstance(body, list) else []
        origins = [getattr(item, TRACEPARENT, None) for item in items] or [
            msg.headers.get(TRACEPARENT)
        ]
        subject = msg.raw_message.subject
        self._telemetry.consumed(subject, len(items) or 1)
        with self._telemetry.operation(
            "process",
            subject,
            messages=len(items) or 1,
            message_id=msg.headers.get("ce-id") or msg.headers.get("message_id"),
            conversation_id=msg.headers.get("correlation_id"),
            origins=origins,
        ):
            return await call_next(msg)

    async def publish_scope(
        self, call_next: Callable[[NatsPublishCommand], Awaitable[object]], cmd: NatsPublishCommand
    ) -> object:
        if cmd.publish_type is PublishType.REPLY:
            return await call_next(cmd)
        with self._telemetry.operation(
            "publish", cmd.destination, conversation_id=cmd.correlation_id
        ):
            traceparent = current_traceparent()
            if traceparent is not None:
                cmd.headers.setdefault(TRACEPARENT, traceparent)
            return await call_next(cmd)


def telemetry_middleware(
    telemetry: MessagingTelemetry,
) -> Callable[..., TelemetryMiddleware]:
    """For the `middlewares` of a broker."""

    def build(message: Msg | None, /, *, context: ContextRepo) -> TelemetryMiddleware:
        return TelemetryMiddleware(message, context=context, telemetry=telemetry)

    return build
