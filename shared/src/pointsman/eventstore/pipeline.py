"""Publishing to one stream with many messages in flight, each tied to the one before."""

import asyncio
import contextlib
from collections import deque
from types import TracebackType
from typing import Final, NamedTuple, Self

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError

from pointsman.eventstore.publications import Outgoing
from pointsman.eventstore.stream_tip import (
    LOG_HEADER,
    POSITION_HEADER,
    RELAY_HEADER,
    StreamMissingError,
    StreamTip,
)
from pointsman.runtime.crashpoints import CrashPoint, crashpoint
from pointsman.runtime.publishing import publish_as_is

WINDOW_MESSAGES: Final = 64
WINDOW_BYTES: Final = 4 * 1024 * 1024
ACK_TIMEOUT_S: Final = 5.0

# An answer vouches for everything before it, so a quarter of the window keeps the pipe filled.
_ACK_EVERY: Final = WINDOW_MESSAGES // 4
_ACK_EVERY_BYTES: Final = WINDOW_BYTES // 4
_LIFE_CHARACTERS: Final = 8
_NO_RESPONDERS: Final = "503"
# Wrong last message id, wrong last sequence (two forms).
_NOT_BEHIND: Final = (10070, 10071, 10164)


class SupersededError(Exception):
    """The stream does not end where this relay left it: somebody else published, or a gap arose."""

    code = "superseded"


class PublishRefusedError(Exception):
    """The server did not store a message; `server_code` is JetStream's number."""

    code = "publish_refused"

    def __init__(self, stream: str, server_code: int, detail: str) -> None:
        super().__init__(f"stream {stream} refuses messages: {detail} ({server_code})")
        self.stream = stream
        self.server_code = server_code


class ConnectionInterruptedError(Exception):
    """The connection broke or an answer stayed out, so what was in flight is in doubt."""

    code = "connection_interrupted"


class _Refusal(msgspec.Struct):
    err_code: int = 0
    description: str = ""


class _Ack(msgspec.Struct):
    seq: int = 0
    duplicate: bool = False
    error: _Refusal | None = None


_ack_decoder: Final = msgspec.json.Decoder(_Ack)


class _Sent(NamedTuple):
    sequence: int
    position: int
    size: int
    at: float


class Marks(NamedTuple):
    """Whose messages these are."""

    relay: str
    """The run of a relay."""
    log: str
    """Incarnation of the log that it reads."""


class Pipeline:
    """Numbered messages from a stream's tip on; an async context manager.

    Each message names its predecessor by sequence and by id, so that the server stores it only
    right behind that one. The sequence alone does not do: when another relay's message has taken
    the place of the predecessor, which may have been cut elsewhere, the sequence fits all the same.
    Therefore one answer proves that everything before it is stored, and only some messages ask for
    an answer. After an error the pipeline is of no further use.

    The first message must be settled before the next one is sent: it names its predecessor by
    sequence alone, because a server that was restarted may have forgotten the id.
    """

    def __init__(
        self,
        nc: Client,
        stream: str,
        tip: StreamTip,
        *,
        position: int,
        marks: Marks,
        renamed_to: int,
    ) -> None:
        """`renamed_to`: messages up to this position get ids that were never used before."""
        self.sequence = tip.sequence
        """Of the last message that the server has confirmed."""
        self.position = position
        """Of the last event that the server has confirmed."""
        self._nc = nc
        self._stream = stream
        self._incarnation = tip.incarnation
        self._marks = marks
        self._renamed_to = renamed_to
        self._last_id = ""
        self._next = tip.sequence + 1
        self._sent: deque[_Sent] = deque()
        self._bytes = 0
        self._unasked = self._unasked_bytes = 0
        self._failure: Exception | None = None
        self._answered = asyncio.Event()
        self._inbox = nc.new_inbox()
        self._reconnects = nc.stats["reconnects"]
        self._subscription: Subscription | None = None

    async def __aenter__(self) -> Self:
        self._subscription = await self._nc.subscribe(f"{self._inbox}.*", cb=self._on_answer)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._subscription is not None:
            # With the server away there is nothing left to take back.
            with contextlib.suppress(NatsError):
                await self._subscription.unsubscribe()

    @property
    def idle(self) -> bool:
        """Nothing is in flight."""
        return not self._sent

    async def send(self, message: Outgoing, *, ask: bool) -> None:
        """Publish behind what is in flight, once there is room; `ask` for an answer.

        Raises what `check` raises and what nats-py raises.
        """
        await self._room()
        sequence, size = self._next, len(message.body)
        headers = message.headers
        headers["Nats-Expected-Last-Sequence"] = str(sequence - 1)
        headers[POSITION_HEADER] = f"{message.first}-{message.last}"
        headers[RELAY_HEADER] = self._marks.relay
        headers[LOG_HEADER] = self._marks.log
        if self._last_id:
            headers["Nats-Expected-Last-Msg-Id"] = self._last_id
        self._last_id = headers["Nats-Msg-Id"] = self._message_id(message.last)
        self._next = sequence + 1
        self._bytes += size
        self._unasked += 1
        self._unasked_bytes += size
        self._sent.append(_Sent(sequence, message.last, size, asyncio.get_running_loop().time()))
        reply = ""
        if ask or self._unasked >= _ACK_EVERY or self._unasked_bytes >= _ACK_EVERY_BYTES:
            reply = f"{self._inbox}.{sequence}"
            self._unasked = self._unasked_bytes = 0
        crashpoint(CrashPoint.BEFORE_RELAY_PUBLISH)
        await publish_as_is(self._nc, message.subject, message.body, reply=reply, headers=headers)

    async def settle(self) -> None:
        """Return when everything that asked for an answer has got it; raises as `check` does."""
        while self._sent:
            await self._next_answer()

    def check(self) -> None:
        """Raise what is wrong with the messages in flight.

        `SupersededError`, `PublishRefusedError`, `StreamMissingError` or
        `ConnectionInterruptedError`.
        """
        if self._failure is not None:
            raise self._failure
        if not self._nc.is_connected or self._nc.stats["reconnects"] != self._reconnects:
            raise ConnectionInterruptedError(f"the connection broke while filling {self._stream}")
        waited = asyncio.get_running_loop().time() - self._sent[0].at if self._sent else 0.0
        if waited > ACK_TIMEOUT_S:
            raise ConnectionInterruptedError(f"{self._stream} gave no answer for {waited:.1f} s")

    def _message_id(self, last: int) -> str:
        suffix = f"-{self._marks.relay}" if last <= self._renamed_to else ""
        # Two lives of a log have different events at one position.
        return f"{self._incarnation}-{self._marks.log[:_LIFE_CHARACTERS]}-{last}{suffix}"

    async def _room(self) -> None:
        self.check()
        while len(self._sent) >= WINDOW_MESSAGES or self._bytes >= WINDOW_BYTES:
            await self._next_answer()

    async def _next_answer(self) -> None:
        self._answered.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ACK_TIMEOUT_S / 10):
                await self._answered.wait()
        self.check()

    async def _on_answer(self, message: Msg) -> None:
        try:
            self._take(int(message.subject.rpartition(".")[2]), message)
        except msgspec.MsgspecError as error:
            self._fail(PublishRefusedError(self._stream, 0, f"unreadable answer: {error}"))
        self._answered.set()

    def _take(self, sequence: int, message: Msg) -> None:
        headers = message.headers
        if not message.data and headers and headers.get("Status") == _NO_RESPONDERS:
            self._fail(StreamMissingError(self._stream))
            return
        ack = _ack_decoder.decode(message.data)
        if ack.error is not None and ack.error.err_code in _NOT_BEHIND:
            self._fail(SupersededError(f"{self._stream}: {ack.error.description}"))
        elif ack.error is not None:
            refusal = PublishRefusedError(self._stream, ack.error.err_code, ack.error.description)
            self._fail(refusal)
        elif ack.seq != sequence:
            self._fail(SupersededError(f"{self._stream}: stored as {ack.seq}, not {sequence}"))
        else:
            self._confirm(sequence)

    def _confirm(self, sequence: int) -> None:
        crashpoint(CrashPoint.AFTER_RELAY_PUBLISH)
        while self._sent and self._sent[0].sequence <= sequence:
            sent = self._sent.popleft()
            self._bytes -= sent.size
            self.sequence, self.position = sent.sequence, sent.position

    def _fail(self, error: Exception) -> None:
        # The first refusal is the cause; those behind it only follow from the broken chain.
        if self._failure is None:
            self._failure = error
