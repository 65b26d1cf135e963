"""Requests that become ready in one turn of the event loop travel as one message."""

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import Final, Generic, TypeVar

import msgspec
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError

from pointsman.contracts.commands import NotLeader, Rejected, Unavailable
from pointsman.runtime.packing_errors import (
    NoAnswerError,
    RequestRefusedError,
    RequestTooLargeError,
)
from pointsman.runtime.packing_queue import Ask, PackQueue
from pointsman.runtime.telemetry import MessagingTelemetry, process_telemetry
from pointsman.runtime.tracing import TRACEPARENT, current_traceparent

__all__ = [
    "NoAnswerError",
    "PackedRequests",
    "RequestRefusedError",
    "RequestTooLargeError",
    "retry_after_s",
]

TIMEOUT_S: Final = 2.0
PATIENCE_S: Final = 5.0
"""A standby has taken over by then."""

_FIRST_RETRY_S: Final = 0.05
_LAST_RETRY_S: Final = 1.0
_NO_RESPONDERS: Final = "503"
_SLACK_S: Final = 0.001

C = TypeVar("C")
A = TypeVar("A")

_encoder: Final = msgspec.json.Encoder()
_refusals: Final = msgspec.json.Decoder(list[Rejected | NotLeader | Unavailable])
_log = structlog.get_logger(__name__)


def retry_after_s(answer: object) -> float | None:
    """How long an answer asks to wait before the same command is sent again; None: it is final."""
    return answer.retry_after_s if isinstance(answer, Unavailable) else None


class PackedRequests(Generic[C, A]):
    """Asks commands of one verb; thousands may wait at once.

    A command is repeated, unchanged, until it has a final answer or `patience_s` is over (None:
    for ever), so it must carry an identity that makes it happen once. `decode_answers` gives the
    answers of a message in the order of its commands; `is_not_leader` and `retry_after` mark those
    that are not final. One reply subscription is made at the first `ask`.
    """

    def __init__(
        self,
        nc: Client,
        subject: str,
        *,
        decode_answers: Callable[[bytes], list[A]],
        is_not_leader: Callable[[A], bool],
        retry_after: Callable[[A], float | None] = retry_after_s,
        timeout_s: float = TIMEOUT_S,
        patience_s: float | None = PATIENCE_S,
        telemetry: MessagingTelemetry | None = None,
    ) -> None:
        self._nc = nc
        self._subject = subject
        self._decode = decode_answers
        self._is_not_leader = is_not_leader
        self._retry_after = retry_after
        self._timeout_s = timeout_s
        self._patience_s = float("inf") if patience_s is None else patience_s
        self._telemetry = telemetry or process_telemetry()
        self._ready: PackQueue[A] = PackQueue()
        self._flights: dict[str, tuple[list[Ask[A]], asyncio.TimerHandle]] = {}
        self._wake = asyncio.Event()
        self._replies: Subscription | None = None
        self._prefix = ""
        self._sent = 0
        self._sender: asyncio.Task[None] | None = None
        self._starting: asyncio.Lock = asyncio.Lock()
        self._closed = False

    async def ask(self, command: C) -> A:
        """Send a command and give its final answer.

        Raises:
            NoAnswerError: the patience is over.
            RequestRefusedError: the whole message was refused, in words that are no answer.
            RequestTooLargeError: the command exceeds the server's message limit.
        """
        if self._sender is None:
            await self._start()
        body = _encoder.encode(command)
        if len(body) + 2 > self._nc.max_payload:
            raise RequestTooLargeError(len(body) + 2, self._nc.max_payload)
        loop = asyncio.get_running_loop()
        now = loop.time()
        future: asyncio.Future[A] = loop.create_future()
        asked = Ask(body, future, now, now + self._patience_s)
        if self._telemetry.enabled:
            asked.origin = getattr(command, TRACEPARENT, None) or current_traceparent()
        if self._closed:
            raise self._no_answer(asked, "the asker is stopped")
        self._ready.append(asked)
        self._wake.set()
        return await future

    async def stop(self) -> None:
        """Give up on everything that waits."""
        self._closed = True
        if self._sender is not None:
            self._sender.cancel()
        waiting = [asked for asks, _ in self._flights.values() for asked in asks]
        for _, timer in self._flights.values():
            timer.cancel()
        self._flights.clear()
        for asked in (*waiting, *self._ready.clear()):
            self._fail(asked, "the asker is stopped")
        if self._replies is not None and not self._nc.is_closed:
            await self._replies.unsubscribe()

    async def _start(self) -> None:
        async with self._starting:
            if self._sender is not None:
                return
            self._prefix = self._nc.new_inbox()
            self._replies = await self._nc.subscribe(f"{self._prefix}.*", cb=self._on_reply)
            self._sender = asyncio.get_running_loop().create_task(self._send_packs())

    async def _send_packs(self) -> None:
        """Wakes one turn after the first command became ready and finds those of the same turn."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._ready:
                await self._send(self._ready.next_pack())

    async def _send(self, pack: list[Ask[A]]) -> None:
        if not pack:
            return
        if not self._nc.is_connected:
            # The client would keep every repetition and send them all at once later.
            self._repeat(pack, "the bus is disconnected")
            return
        self._sent += 1
        token = str(self._sent)
        loop = asyncio.get_running_loop()
        left_s = min(asked.until for asked in pack) - loop.time()
        timer = loop.call_later(
            max(_SLACK_S, min(self._timeout_s, left_s)), self._on_timeout, token
        )
        self._flights[token] = (pack, timer)
        body = b"[" + b",".join([asked.body for asked in pack]) + b"]"
        try:
            with self._telemetry.operation(
                "publish", self._subject, messages=len(pack), origins=[a.origin for a in pack]
            ):
                await self._nc.publish(self._subject, body, reply=f"{self._prefix}.{token}")
        except (NatsError, OSError) as error:
            if self._flights.pop(token, None) is not None:
                timer.cancel()
                self._repeat(pack, f"{type(error).__name__}: {error}")

    async def _on_reply(self, message: Msg) -> None:
        flight = self._flights.pop(message.subject.rpartition(".")[2], None)
        if flight is None:
            return
        pack, timer = flight
        timer.cancel()
        if not message.data and (message.headers or {}).get("Status") == _NO_RESPONDERS:
            self._repeat(pack, "no responders")
            return
        try:
            answers = self._decode(message.data)
        except (msgspec.MsgspecError, ValueError) as error:
            self._on_refusal(pack, message.data, error)
            return
        if len(answers) == len(pack):
            self._resolve(pack, answers)
        elif len(answers) == 1:
            self._on_common_answer(pack, answers[0])
        else:
            self._repeat(pack, f"{len(answers)} answers to {len(pack)} commands")

    def _resolve(self, pack: Sequence[Ask[A]], answers: Sequence[A]) -> None:
        for asked, answer in zip(pack, answers, strict=True):
            wait_s = self._retry_after(answer)
            if wait_s is not None:
                why = getattr(answer, "message", "") or answer
                self._repeat([asked], f"unavailable: {why}", at_least_s=wait_s, told=answer)
            elif self._is_not_leader(answer):
                self._repeat([asked], "not the leader")
            elif not asked.future.done():
                asked.future.set_result(answer)

    def _on_common_answer(self, pack: Sequence[Ask[A]], answer: A) -> None:
        """One answer to a pack: a bad command must not have the others refused."""
        if self._retry_after(answer) is None and not self._is_not_leader(answer):
            self._isolate(pack, str(answer))
        else:
            self._resolve(pack, [answer] * len(pack))

    def _on_refusal(self, pack: Sequence[Ask[A]], body: bytes, error: Exception) -> None:
        """The reply holds no answers of this verb: the runtime refused the message."""
        try:
            refusals = _refusals.decode(body)
        except msgspec.MsgspecError:
            refusals = []
        refusal = refusals[0] if len(refusals) == 1 else None
        if not isinstance(refusal, Rejected):
            wait_s = refusal.retry_after_s if isinstance(refusal, Unavailable) else 0.0
            last = f"unreadable answer: {error}" if refusal is None else str(refusal)
            self._repeat(pack, last, at_least_s=wait_s, told=refusal)
        elif len(pack) > 1:
            self._isolate(pack, str(refusal))
        elif not pack[0].future.done():
            pack[0].future.set_exception(RequestRefusedError(self._subject, refusal))

    def _isolate(self, pack: Sequence[Ask[A]], last: str) -> None:
        for asked in pack:
            asked.alone = True
        self._repeat(pack, last)

    def _on_timeout(self, token: str) -> None:
        flight = self._flights.pop(token, None)
        if flight is not None:
            self._repeat(flight[0], f"no reply within {self._timeout_s:g} s", at_once=True)

    def _repeat(
        self,
        pack: Sequence[Ask[A]],
        last: str,
        *,
        at_least_s: float = 0.0,
        at_once: bool = False,
        told: object = None,
    ) -> None:
        """Make the same commands ready again after a pause that grows with their attempts."""
        if self._closed:
            for asked in pack:
                self._fail(asked, "the asker is stopped")
            return
        loop = asyncio.get_running_loop()
        attempts = max(asked.attempts for asked in pack)
        backoff_s = min(_LAST_RETRY_S, _FIRST_RETRY_S * 2 ** min(attempts, 10))
        pause_s = 0.0 if at_once else max(at_least_s, backoff_s * (0.5 + random.random() / 2))
        pause_s = min(pause_s, *(asked.until - loop.time() for asked in pack))
        if attempts == 0 or attempts % 30 == 0:
            _log.info("request_repeated", subject=self._subject, commands=len(pack), last=last)
        again: list[Ask[A]] = []
        for asked in pack:
            over = asked.until - loop.time() <= _SLACK_S
            # The try that the end cut short says less than the answer before it.
            if not (over and at_once and asked.attempts):
                asked.last = last
                asked.unavailable = told if isinstance(told, Unavailable) else None
            asked.attempts += 1
            if asked.future.done():
                continue
            if over:
                self._fail(asked, asked.last)
            else:
                again.append(asked)
        if again:
            loop.call_later(max(0.0, pause_s), self._make_ready, again)

    def _make_ready(self, pack: Sequence[Ask[A]]) -> None:
        if self._closed:
            for asked in pack:
                self._fail(asked, "the asker is stopped")
            return
        self._ready.extend(pack)
        self._wake.set()

    def _fail(self, asked: Ask[A], last: str) -> None:
        if not asked.future.done():
            asked.future.set_exception(self._no_answer(asked, last))

    def _no_answer(self, asked: Ask[A], last: str) -> NoAnswerError:
        waited_s = asyncio.get_running_loop().time() - asked.asked_at
        return NoAnswerError(
            self._subject, waited_s=waited_s, last=last, unavailable=asked.unavailable
        )
