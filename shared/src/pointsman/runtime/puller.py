"""Our own pull consumer: long-lived pull requests, one callback, whole lists of messages.

`fetch` of the client library costs three times as much per message and can hang for ever on a
request that the server has forgotten.
"""

import asyncio
from typing import Final

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError
from nats.js.api import ConsumerInfo
from nats.js.errors import NotFoundError

from pointsman.runtime.errors import FatalError
from pointsman.runtime.telemetry import MessagingTelemetry, process_telemetry
from pointsman.runtime.tracing import traceparent_of

BATCH: Final = 256
EXPIRES_S: Final = 30.0
HEARTBEAT_S: Final = 2.0
"""An idle pull request that is alive says so; three missed heartbeats mean that it is not."""
STALL_S: Final = 15.0
"""How long messages may wait in the stream without one of them arriving."""

_TICK_S: Final = 0.25
_INFO_S: Final = 1.0
_SILENT_HEARTBEATS: Final = 3
_PATIENT_STALLS: Final = 2
_NANOSECONDS: Final = 1_000_000_000

_log = structlog.get_logger(__name__)


class ConsumerGoneError(Exception):
    """The stream or its consumer does not exist (any more): provision it, then pull again."""

    code = "consumer_gone"

    def __init__(self, stream: str, consumer: str) -> None:
        super().__init__(
            f"consumer {consumer!r} of stream {stream!r} is gone: provision the streams again"
        )
        self.stream = stream
        self.consumer = consumer


class PullStalledError(FatalError):
    """Messages wait and none arrives, although the pull was renewed."""

    code = "pull_stalled"

    def __init__(self, stream: str, consumer: str, pending: int) -> None:
        super().__init__(
            f"{pending} messages wait for consumer {consumer!r} of {stream!r} and none arrives.",
            next_step="The service must be restarted; its supervisor does that.",
        )
        self.pending = pending


class PullerStoppedError(Exception):
    """`next` was called after `stop`, or waited while it came."""

    code = "puller_stopped"


class Puller:
    """Messages of one durable pull consumer, in the order in which the server sends them.

    At most two batches are held. Nothing is acknowledged here.
    """

    def __init__(
        self,
        nc: Client,
        stream: str,
        consumer: str,
        batch: int = BATCH,
        *,
        expires_s: float = EXPIRES_S,
        heartbeat_s: float = HEARTBEAT_S,
        stall_s: float = STALL_S,
        telemetry: MessagingTelemetry | None = None,
    ) -> None:
        self.stream = stream
        self.consumer = consumer
        self._nc = nc
        self._batch = batch
        self._expires_s = expires_s
        self._heartbeat_s = heartbeat_s
        self._stall_s = stall_s
        self._telemetry = telemetry or process_telemetry()
        self._subject = f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}"
        self._buffer: list[Msg] = []
        self._arrived = asyncio.Event()
        self._inbox = ""
        self._subscription: Subscription | None = None
        self._request = 0
        self._first_valid = 0
        self._asked = 0
        self._seen_at = 0.0
        self._message_at = 0.0
        self._reconnects = 0
        self._stalls = 0
        self._doubtful = False
        self._stopped = False

    async def next(self) -> list[Msg]:
        """Wait until at least one message is there and give all that have arrived.

        Raises:
            ConsumerGoneError: provision again; then `next` may be called again.
            PullStalledError: renewing the pull did not help.
            PullerStoppedError: `stop` was called.
        """
        if self._subscription is None and not self._stopped:
            await self._subscribe()
        while not self._buffer:
            if self._stopped:
                raise PullerStoppedError
            self._arrived.clear()
            await self._keep_pulling()
            try:
                async with asyncio.timeout(_TICK_S):
                    await self._arrived.wait()
            except TimeoutError:
                continue
        messages, self._buffer = self._buffer, []
        self._stalls = 0
        self._observe(messages)
        if not self._stopped and self._asked <= self._batch // 2 and self._nc.is_connected:
            await self._pull()
        return messages

    def _observe(self, messages: list[Msg]) -> None:
        if not self._telemetry.enabled:
            return
        with self._telemetry.operation(
            "fetch",
            messages[0].subject,
            messages=len(messages),
            group=self.consumer,
            origins=[traceparent_of(message.headers) for message in messages],
        ):
            # The wait for messages is no part of the operation; it would measure idleness.
            pass

    async def stop(self) -> None:
        """Pull no more and give back at once what has arrived but was not handed out."""
        self._stopped = True
        self._arrived.set()
        if self._subscription is not None and not self._nc.is_closed:
            await self._subscription.unsubscribe()
        messages, self._buffer = self._buffer, []
        for message in messages:
            await message.nak()

    async def _subscribe(self) -> None:
        self._inbox = self._nc.new_inbox()
        self._reconnects = self._nc.stats["reconnects"]
        self._message_at = asyncio.get_running_loop().time()
        self._subscription = await self._nc.subscribe(f"{self._inbox}.*", cb=self._on_message)

    async def _keep_pulling(self) -> None:
        """Make sure that a pull request is alive; called whenever nothing has arrived."""
        if not self._nc.is_connected:
            return
        now = asyncio.get_running_loop().time()
        if self._reconnects != self._nc.stats["reconnects"]:
            # The server has forgotten the requests of the connection that was lost.
            self._reconnects = self._nc.stats["reconnects"]
            self._forget_requests()
        elif self._asked > 0 and now - self._seen_at > self._heartbeat_s * _SILENT_HEARTBEATS:
            self._doubtful = True
        if self._doubtful or now - self._message_at > self._stall_s:
            await self._look()
        if self._asked <= 0:
            await self._pull()

    async def _pull(self) -> None:
        wanted = self._batch - self._asked
        body = (
            f'{{"batch":{wanted},"expires":{int(self._expires_s * _NANOSECONDS)},'
            f'"idle_heartbeat":{int(self._heartbeat_s * _NANOSECONDS)}}}'
        )
        now = asyncio.get_running_loop().time()
        if self._asked == 0:
            self._seen_at = now
        self._asked += wanted
        self._request += 1
        await self._nc.publish(self._subject, body.encode(), reply=f"{self._inbox}.{self._request}")

    async def _on_message(self, message: Msg) -> None:
        self._seen_at = asyncio.get_running_loop().time()
        headers = message.headers
        status = headers.get("Status") if headers and not message.reply else None
        if status is None:
            self._message_at = self._seen_at
            self._asked = max(0, self._asked - 1)
            self._buffer.append(message)
            self._arrived.set()
        elif status != "100" and self._is_current(message.subject):
            self._on_status(status, headers or {})
            self._arrived.set()

    def _on_status(self, status: str, headers: dict[str, str]) -> None:
        """A request has ended: in time (408), with no one to ask (503), by a change (409)."""
        description = headers.get("Description", "").lower()
        if status != "408":
            _log.info("pull_ended", stream=self.stream, status=status, description=description)
            self._doubtful = True
        left = headers.get("Nats-Pending-Messages", "")
        self._asked = max(0, self._asked - int(left)) if left.isdigit() else 0

    def _is_current(self, subject: str) -> bool:
        return int(subject.rpartition(".")[2]) > self._first_valid

    def _forget_requests(self) -> None:
        self._asked = 0
        self._first_valid = self._request

    async def _look(self) -> None:
        """Ask whether the consumer is there, and whether messages wait that should have come."""
        info = await self._info()
        if info is None:
            return
        if self._doubtful:
            self._doubtful = False
            self._forget_requests()
        now = asyncio.get_running_loop().time()
        limit = info.config.max_ack_pending or 0
        held_back = bool(info.paused) or 0 < limit <= (info.num_ack_pending or 0)
        if not info.num_pending or held_back:
            self._stalls = 0
            self._message_at = now
        elif now - self._message_at > self._stall_s:
            self._message_at = now
            await self._renew(info.num_pending)

    async def _renew(self, pending: int) -> None:
        self._stalls += 1
        if self._stalls > _PATIENT_STALLS:
            raise PullStalledError(self.stream, self.consumer, pending)
        _log.warning("pull_renewed", stream=self.stream, pending=pending)
        if self._subscription is not None:
            await self._subscription.unsubscribe()
        await self._subscribe()
        self._forget_requests()

    async def _info(self) -> ConsumerInfo | None:
        """None while JetStream does not answer, as in the first moments of a server."""
        try:
            return await self._nc.jsm(timeout=_INFO_S).consumer_info(self.stream, self.consumer)
        except NotFoundError:
            self._doubtful = False
            self._forget_requests()
            raise ConsumerGoneError(self.stream, self.consumer) from None
        except NatsError as error:
            _log.info("consumer_not_answering", stream=self.stream, error=repr(error))
            return None
