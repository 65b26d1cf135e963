"""The one way to the bus: a nats-py client that reconnects for ever and never fails silently."""

import asyncio
import re
from collections.abc import Callable
from typing import Final

import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError

from pointsman.runtime.broker_errors import (
    AuthenticationFailedError,
    BrokerTooOldError,
    BrokerUnreachableError,
    ConnectionLostError,
    InboxUnusableError,
    PermissionDeniedError,
)
from pointsman.runtime.errors import FatalError
from pointsman.runtime.nats_client import NatsClient
from pointsman.runtime.settings import NatsSettings

PING_INTERVAL_S: Final = 5
MAX_OUTSTANDING_PINGS: Final = 2
"""A half-open link is noticed after 15 s; the library's defaults take six minutes."""
RECONNECT_WAIT_S: Final = 0.25
CONNECT_TIMEOUT_S: Final = 2
PENDING_BYTES: Final = 8 * 1024 * 1024
"""What a client holds back while the server is away; more is refused to the caller."""
RECONNECT_SILENCE_S: Final = 30.0
"""An attempt takes at most 16 s and reports itself, so a longer silence means that none runs."""

_PERMISSION: Final = re.compile(r'permissions violation for (publish|subscription) to "?([^"]+)"?')
_REPLY_PREFIX: Final = "_inbox"
_PROBE_TIMEOUT_S: Final = 2.0

_log = structlog.get_logger(__name__)

OnFatal = Callable[[Exception], None]
OnState = Callable[[bool, str], None]


class Connection(NatsClient):
    """A nats-py client whose errors are classified: fatal ones end the service.

    `on_fatal` may be called more than once, and never before `open` has returned.
    """

    def __init__(
        self, settings: NatsSettings, name: str, on_fatal: OnFatal, on_state: OnState | None
    ) -> None:
        super().__init__()
        self._settings = settings
        self._name = name
        self._on_fatal = on_fatal
        self._on_state = on_state or _ignore_state
        self._opened = False
        self._closing = False
        self._reported = ""
        self._last_attempt_at = 0.0
        self._watch: asyncio.Task[None] | None = None

    async def open(self, *, patience_s: float | None) -> None:
        """Connect; with patience for ever, except for errors that waiting does not cure."""
        try:
            async with asyncio.timeout(patience_s):
                await self._connect()
            self._refuse_old_server()
        except TimeoutError:
            await self.close()
            raise BrokerUnreachableError(
                f"No NATS server answered at {self._settings.url} within {patience_s:g} s.",
                next_step="Start one (`pointsman up`) or check the address.",
            ) from None
        except BaseException:
            await self.close()
            raise
        self._opened = True
        self._on_state(True, "")  # noqa: FBT003 - the two arguments are a component's state

    async def close(self) -> None:
        """Close at once; nothing is reported any more."""
        self._closing = True
        if self._watch is not None:
            self._watch.cancel()
        await super().close()

    async def drain(self) -> None:
        """Deliver what has arrived, flush what was published, close.

        Falls back to `close` while the server is away.
        """
        self._closing = True
        if self.is_connected:
            await super().drain()
        await self.close()

    async def _connect(self) -> None:
        settings = self._settings
        await super().connect(
            settings.url.split(","),
            name=self._name,
            user=settings.user or None,
            password=settings.password.get_secret_value() or None,
            inbox_prefix=settings.inbox_prefix,
            ping_interval=PING_INTERVAL_S,
            max_outstanding_pings=MAX_OUTSTANDING_PINGS,
            max_reconnect_attempts=-1,
            reconnect_time_wait=RECONNECT_WAIT_S,  # pyright: ignore[reportArgumentType] - it is slept
            connect_timeout=CONNECT_TIMEOUT_S,
            pending_size=PENDING_BYTES,
            error_cb=self._on_error,
            disconnected_cb=self._on_disconnected,
            reconnected_cb=self._on_reconnected,
            closed_cb=self._on_closed,
        )

    async def _on_error(self, error: Exception) -> None:
        """Hear of every asynchronous error; raising here would end the reconnecting."""
        self._last_attempt_at = asyncio.get_running_loop().time()
        fatal = self._fatal(error)
        if fatal is None:
            self._log_once(error)
        elif self._opened:
            self._on_fatal(fatal)
        else:
            # Before the first connection the library passes it on to whoever awaits `open`.
            raise fatal

    def _fatal(self, error: Exception) -> FatalError | None:
        text = str(error).lower()
        if "authorization violation" in text:
            return AuthenticationFailedError(self._settings.user, self._settings.url)
        match = _PERMISSION.search(text)
        if match is None:
            return None
        operation, subject = match[1], match[2].split('"')[0]
        if operation == "publish" and subject.startswith(_REPLY_PREFIX):
            # An answer to a request from before a restart of the server: its asker asks again.
            _log.warning("reply_refused", subject=subject)
            return None
        return PermissionDeniedError(operation, subject, self._settings.user)

    def _log_once(self, error: Exception) -> None:
        # Each attempt to reconnect fails in the same way, four times a second.
        text = f"{type(error).__name__}: {error}"
        if text != self._reported:
            self._reported = text
            _log.warning("bus_error", error=text, url=self._settings.url)

    async def _on_disconnected(self) -> None:
        if self._closing:
            return
        self._on_state(False, "reconnecting")  # noqa: FBT003 - as in open
        _log.warning("bus_disconnected", url=self._settings.url)
        if self._watch is not None:
            self._watch.cancel()
        self._watch = asyncio.get_running_loop().create_task(self._watch_reconnecting())

    async def _on_reconnected(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
        self._reported = ""
        try:
            self._refuse_old_server()
        except BrokerTooOldError as error:
            self._on_fatal(error)
        self._on_state(True, "")  # noqa: FBT003 - as in open
        _log.info("bus_reconnected", url=self._settings.url)

    async def _on_closed(self) -> None:
        if self._opened and not self._closing:
            self._on_state(False, "closed")  # noqa: FBT003 - as in open
            self._on_fatal(ConnectionLostError(str(self.last_error or "closed by the library")))

    async def _watch_reconnecting(self) -> None:
        """An exception that the library does not expect ends its reconnecting without a word."""
        loop = asyncio.get_running_loop()
        self._last_attempt_at = loop.time()
        silent_s = 0.0
        while silent_s < RECONNECT_SILENCE_S:
            await asyncio.sleep(RECONNECT_SILENCE_S - silent_s)
            silent_s = loop.time() - self._last_attempt_at
        self._on_fatal(ConnectionLostError(f"no attempt for {RECONNECT_SILENCE_S:g} s"))

    def _refuse_old_server(self) -> None:
        version = self.connected_server_version
        found = (version.major, version.minor, version.patch)
        if found < (2, 12, 7) or (2, 13) <= found < (2, 14):
            raise BrokerTooOldError(".".join(map(str, found)))


async def connect(
    settings: NatsSettings,
    *,
    name: str,
    on_fatal: OnFatal,
    on_state: OnState | None = None,
    patience_s: float | None = None,
) -> Connection:
    """Connect as `name`; afterwards the client reconnects by itself, for ever.

    `on_fatal` is told what reconnecting does not cure: refused credentials or subjects, a server
    that is too old, a library that has given up. `on_state(connected, detail)` follows the link.
    Without `patience_s` a server that is away is waited for.

    Raises:
        AuthenticationFailedError: the server refuses the user.
        BrokerTooOldError: the server is older than what Pointsman relies on.
        BrokerUnreachableError: no server within `patience_s`.
    """
    connection = Connection(settings, name, on_fatal, on_state)
    await connection.open(patience_s=patience_s)
    return connection


async def probe(nc: Client, *, user: str = "", timeout_s: float = _PROBE_TIMEOUT_S) -> None:
    """Send a message to the own inbox and wait for it.

    A refused permission or a wrong inbox prefix otherwise looks like a timeout of some later
    request, or like nothing at all.

    Raises:
        PermissionDeniedError: the server names the subject that it refuses.
        InboxUnusableError: the message did not arrive within `timeout_s`.
    """
    subject = nc.new_inbox()
    arrived = asyncio.Event()

    async def receive(_message: object) -> None:
        arrived.set()

    subscription = await nc.subscribe(subject, cb=receive)
    try:
        await nc.publish(subject)
        await nc.flush(timeout=_whole_s(timeout_s))
        match = _PERMISSION.search(str(nc.last_error).lower())
        if match is not None:
            raise PermissionDeniedError(match[1], match[2].split('"')[0], user)
        async with asyncio.timeout(timeout_s):
            await arrived.wait()
    except (TimeoutError, NatsError) as error:
        raise InboxUnusableError(subject) from error
    finally:
        await subscription.unsubscribe()


def _whole_s(seconds: float) -> int:
    return max(1, round(seconds))


def _ignore_state(_connected: bool, _detail: str) -> None:  # noqa: FBT001 - OnState's shape
    pass
