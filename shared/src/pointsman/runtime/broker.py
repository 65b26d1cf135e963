"""Commands and queries over FastStream: one connection, and an answer to every request."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec
import structlog
from fast_depends.exceptions import ValidationError
from fast_depends.msgspec import MsgSpecSerializer
from faststream import ContextRepo
from faststream.message import StreamMessage
from faststream.middlewares import BaseMiddleware
from faststream.nats import NatsBroker
from faststream.nats.subscriber.usecases import CoreSubscriber
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from pointsman.contracts.commands import NotLeader, Rejected, Unavailable
from pointsman.runtime.connection import (
    Connection,
    OnFatal,
    OnState,
    connect,
    probe,
)
from pointsman.runtime.errors import NotLeaderError, TransientError
from pointsman.runtime.settings import NatsSettings
from pointsman.runtime.telemetry import MessagingTelemetry, process_telemetry
from pointsman.runtime.telemetry_middleware import telemetry_middleware

if TYPE_CHECKING:
    from faststream._internal.types import BrokerMiddleware

__all__ = [
    "CONCURRENT_REQUESTS",
    "Connection",
    "MalformedRequestError",
    "RefusedError",
    "ServiceBroker",
    "body_decoder",
    "build_broker",
    "connect",
    "probe",
]

CONCURRENT_REQUESTS: Final = 64
"""Messages of one subject that are in handlers at once, so that their appends share a commit.
What exceeds them waits in the client's own buffer."""

_GRACE_S: Final = 10.0
_RETRY_AFTER_S: Final = 0.5

_log = structlog.get_logger(__name__)

T = TypeVar("T")


class MalformedRequestError(ValueError):
    """The body of a request does not fit its type; the sender must correct it."""

    code = "malformed_request"


_MALFORMED: Final = (MalformedRequestError, ValidationError, json.JSONDecodeError)


class RefusedError(Exception):
    """Raised by a handler whose result type leaves no room for a refusal; answered as it is."""

    def __init__(self, refusal: Rejected) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


class ServiceBroker(NatsBroker):
    """A FastStream broker on our own connection.

    FastStream's error callback raises on some errors, which ends the client's reconnecting. Core
    subscribers that are declared when it starts handle `CONCURRENT_REQUESTS` messages at once, in
    the order of their arrival up to the first `await`; FastStream's `max_workers` does the same at
    twice the cost of the whole handling.
    """

    def __init__(
        self,
        connection: Callable[[], Awaitable[Connection]],
        *,
        middlewares: Sequence["BrokerMiddleware[Any, Any]"],
    ) -> None:
        super().__init__(
            middlewares=middlewares,
            serializer=MsgSpecSerializer(use_fastdepends_errors=True),
            logger=None,
            graceful_timeout=_GRACE_S,
        )
        self._connect_to_bus = connection

    async def start(self) -> None:
        for subscriber in self.subscribers:
            if type(subscriber) is CoreSubscriber:
                _handle_concurrently(subscriber)
        await super().start()
        # Who is told that this service is up may ask it at once.
        await self.connection.flush()

    async def _connect(self) -> Client:
        connection = await self._connect_to_bus()
        self.config.broker_config.connect(connection)
        return connection

    async def stop(
        self,
        exc_type: type[BaseException] | None = None,
        exc_val: BaseException | None = None,
        exc_tb: TracebackType | None = None,
    ) -> None:
        """Take no more requests, answer those that have arrived, close the connection."""
        connection = self._connection
        try:
            if connection is not None and connection.is_connected:
                await self._take_no_more()
            await super().stop(exc_type, exc_val, exc_tb)
        except* NatsError as errors:
            # The server is away: there is nobody to say goodbye to.
            _log.info("bus_stopped_disconnected", error=repr(errors.exceptions[0]))
            if connection is not None:
                await connection.close()

    async def _take_no_more(self) -> None:
        # Askers then get `no responders` at once, instead of silence until the handlers are done.
        for subscriber in self.subscribers:
            subscription = getattr(subscriber, "subscription", None)
            if subscription is not None:
                # NATS subscribers all have it, the general type does not.
                subscriber.subscription = None  # pyright: ignore[reportAttributeAccessIssue] - as above
                await subscription.drain()
        # A handler of the last message must have begun before the subscribers are told to stop.
        await asyncio.sleep(0)


def _handle_concurrently(subscriber: CoreSubscriber) -> None:
    consume = subscriber.consume
    free = asyncio.Semaphore(CONCURRENT_REQUESTS)
    running: set[asyncio.Task[object]] = set()

    def finished(task: asyncio.Task[object]) -> None:
        running.discard(task)
        free.release()

    async def begin(msg: Msg) -> None:
        await free.acquire()
        task = asyncio.get_running_loop().create_task(consume(msg))
        running.add(task)
        task.add_done_callback(finished)

    subscriber.consume = begin


def build_broker(
    settings: NatsSettings,
    *,
    name: str,
    on_fatal: OnFatal,
    on_state: OnState | None = None,
    middlewares: Sequence["BrokerMiddleware[Any, Any]"] = (),
    transient: tuple[type[Exception], ...] = (),
    telemetry: MessagingTelemetry | None = None,
) -> ServiceBroker:
    """Describe a broker; its `connect` (or `start`) connects as the function `connect` does.

    Request handlers get struct types (see `body_decoder`), and whatever they raise is answered:
    a malformed body with `Rejected`, `NotLeaderError` with `NotLeader`, other `TransientError`,
    those of `transient` and defects with `Unavailable`. A request that is a JSON array gets an
    array with one element.
    """

    async def open_connection() -> Connection:
        return await connect(settings, name=name, on_fatal=on_fatal, on_state=on_state)

    expected = (TransientError, TimeoutError, *transient)

    def answering(message: Msg | None, /, *, context: ContextRepo) -> _Answering:
        return _Answering(message, context=context, expected=expected)

    observed = telemetry or process_telemetry()
    watching = (telemetry_middleware(observed),) if observed.enabled else ()
    # Answering comes first, that is outermost: telemetry sees the error before it is an answer.
    return ServiceBroker(open_connection, middlewares=(answering, *watching, *middlewares))


def body_decoder(type_: type[T]) -> Callable[[StreamMessage[Any]], Awaitable[T]]:
    """The `decoder` of a subscriber whose handler takes one `type_`, say `list[SubmitTask]`.

    FastStream's own path makes dictionaries with the standard library first.
    """
    decoder = msgspec.json.Decoder(type_)

    async def decode(message: StreamMessage[Any]) -> T:
        try:
            return decoder.decode(message.body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise MalformedRequestError(str(error)) from error

    return decode


class _Answering(BaseMiddleware[Any, Any]):
    """Turns what a handler raises into an answer; without it the asker waits for its timeout."""

    def __init__(
        self, message: Msg | None, *, context: ContextRepo, expected: tuple[type[Exception], ...]
    ) -> None:
        super().__init__(message, context=context)
        self._expected = expected

    async def consume_scope(
        self, call_next: Callable[[Any], Awaitable[object]], msg: StreamMessage[Msg]
    ) -> object:
        try:
            return await call_next(msg)
        except Exception as error:
            if not msg.reply_to:
                raise
            answer = self._answer(error, msg.raw_message.subject)
        return [answer] if msg.body.lstrip().startswith(b"[") else answer

    def _answer(self, error: Exception, subject: str) -> Rejected | NotLeader | Unavailable:
        if isinstance(error, RefusedError):
            return error.refusal
        if isinstance(error, NotLeaderError):
            _log.info("request_not_led", subject=subject, error=str(error))
            return NotLeader()
        if isinstance(error, _MALFORMED):
            _log.warning("request_malformed", subject=subject, error=str(error))
            return Rejected(
                code=MalformedRequestError.code,
                message=f"{subject}: {error}",
                next="Correct the request, or upgrade the service that answers it.",
            )
        if isinstance(error, self._expected):
            _log.info("request_unavailable", subject=subject, error=str(error))
            return Unavailable(retry_after_s=_RETRY_AFTER_S, message=str(error))
        # A defect. The effect may have been recorded, so the asker must repeat, not change.
        _log.error("request_failed", subject=subject, exc_info=error)
        return Unavailable(retry_after_s=_RETRY_AFTER_S, message=f"{type(error).__name__}: {error}")
