"""The one acknowledgement policy for JetStream work consumers.

Success is acknowledged. A transient error is retried after a growing, jittered delay. Anything
else, or the fifth delivery, is recorded as a dead letter and only then terminated, so that no
message disappears without a trace.
"""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Protocol

import structlog
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from pointsman.runtime.crashpoints import CrashPoint, crashpoint
from pointsman.runtime.errors import TransientError
from pointsman.runtime.telemetry import MessagingTelemetry, Operation, process_telemetry
from pointsman.runtime.tracing import traceparent_of

__all__ = ["MAX_DELIVERIES", "DeadLetter", "DeadLetters", "Settled", "TransientError", "settle"]

MAX_DELIVERIES: Final = 5
FIRST_DELAY_S: Final = 0.5
LAST_DELAY_S: Final = 30.0
EXHAUSTED: Final = "deliveries_exhausted"

_MESSAGE_ID_HEADERS: Final = ("ce-id", "Nats-Msg-Id")

_log = structlog.get_logger(__name__)


class Settled(StrEnum):
    """What the server was told."""

    ACK = "ack"
    NAK = "nak"
    TERM = "term"


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that will not be delivered again, with everything needed to send it anew."""

    subject: str
    message_id: str
    """CloudEvent id or `Nats-Msg-Id`; the place in the stream where there is neither."""
    code: str
    """Of the error; `deliveries_exhausted` when a transient one did not go away."""
    detail: str
    deliveries: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    tenant: str = ""


class DeadLetters(Protocol):
    """Where dead letters are kept: the log."""

    async def record(self, letter: DeadLetter) -> None:
        """Return after the commit; recording the same message again must be harmless."""
        ...


def retry_delay_s(deliveries: int, draw: float) -> float:
    """Pause before the next delivery: full jitter below a bound that doubles to 30 s.

    `deliveries` counts from 1, `draw` is uniform in [0, 1).
    """
    return draw * min(LAST_DELAY_S, FIRST_DELAY_S * 2 ** min(deliveries - 1, 16))


async def settle(
    message: Msg,
    work: Callable[[Msg], Awaitable[object]],
    dead_letters: DeadLetters,
    *,
    tenant: str = "",
    transient: tuple[type[Exception], ...] = (),
    draw: Callable[[], float] = random.random,
    telemetry: MessagingTelemetry | None = None,
) -> Settled:
    """Do the work of one message and tell the server how it ended; never raises for its errors.

    `TransientError` and those of `transient` are retried. When the caller is cancelled the message
    is given back at once, and `CancelledError` goes on.
    """
    ending = _Ending(message, dead_letters, tenant, draw, telemetry or process_telemetry())
    try:
        with ending.observed("process"):
            await work(message)
    except asyncio.CancelledError:
        await ending.tell(Settled.NAK)
        raise
    except (TransientError, *transient) as error:
        return await ending.retry(error)
    except Exception as error:  # noqa: BLE001 - whatever a message provokes ends as a dead letter
        return await ending.bury(str(getattr(error, "code", "handler_failed")), error)
    crashpoint(CrashPoint.BEFORE_INBOX_ACK)
    settled = await ending.tell(Settled.ACK)
    crashpoint(CrashPoint.AFTER_INBOX_ACK)
    return settled


class _Ending:
    """What happens to one message after its work."""

    def __init__(
        self,
        message: Msg,
        dead_letters: DeadLetters,
        tenant: str,
        draw: Callable[[], float],
        telemetry: MessagingTelemetry,
    ) -> None:
        self._message = message
        self._dead_letters = dead_letters
        self._tenant = tenant
        self._draw = draw
        self._telemetry = telemetry

    def observed(self, operation: str) -> Operation:
        message = self._message
        if not self._telemetry.enabled:
            return Operation()
        return self._telemetry.operation(
            operation,
            message.subject,
            message_id=message_id_of(message),
            group=message.metadata.consumer,
            origins=[traceparent_of(message.headers)],
            extra={"pointsman.nats.delivery.attempt": message.metadata.num_delivered},
        )

    async def retry(self, error: Exception) -> Settled:
        deliveries = self._message.metadata.num_delivered
        if deliveries >= MAX_DELIVERIES:
            return await self.bury(EXHAUSTED, error)
        delay_s = retry_delay_s(deliveries, self._draw())
        _log.info(
            "message_retried",
            subject=self._message.subject,
            deliveries=deliveries,
            delay_s=round(delay_s, 3),
            error=f"{type(error).__name__}: {error}",
        )
        return await self.tell(Settled.NAK, delay_s)

    async def bury(self, code: str, error: Exception) -> Settled:
        letter = _letter(self._message, code, error, self._tenant)
        try:
            await self._dead_letters.record(letter)
        except Exception as failure:  # noqa: BLE001 - the message is the only copy: it must come back
            delay_s = retry_delay_s(letter.deliveries, self._draw())
            _log.warning(
                "dead_letter_not_recorded", letter=letter, error=repr(failure), delay_s=delay_s
            )
            return await self.tell(Settled.NAK, delay_s)
        _log.warning("dead_letter_recorded", letter=letter)
        return await self.tell(Settled.TERM)

    async def tell(self, settled: Settled, delay_s: float = 0.0) -> Settled:
        # A server that is away delivers the message again, which every consumer must bear anyway.
        with contextlib.suppress(NatsError), self.observed(settled.value):
            match settled:
                case Settled.ACK:
                    await self._message.ack()
                case Settled.NAK:
                    await self._message.nak(delay_s)
                case Settled.TERM:
                    await self._message.term()
        return settled


def message_id_of(message: Msg) -> str:
    """CloudEvent id or `Nats-Msg-Id` of a delivered message, else its place in the stream."""
    headers = message.headers or {}
    for name in _MESSAGE_ID_HEADERS:
        if headers.get(name):
            return headers[name]
    return f"{message.metadata.stream}:{message.metadata.sequence.stream}"


def _letter(message: Msg, code: str, error: Exception, tenant: str) -> DeadLetter:
    return DeadLetter(
        subject=message.subject,
        message_id=str(getattr(error, "message_id", None) or message_id_of(message)),
        code=code,
        detail=str(error) or type(error).__name__,
        deliveries=message.metadata.num_delivered,
        headers=dict(message.headers or {}),
        body=message.data,
        tenant=tenant,
    )
