"""Parts of running attempts over core NATS, which says at once when nobody listens."""

import re
from typing import Final
from uuid import UUID

import msgspec
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from pointsman.contracts import subjects
from pointsman.contracts.token_streams import StreamPart

# The server's answer to a message with a reply subject whose own subject nobody subscribes to.
_NO_RESPONDERS: Final = "503"
_STATUS: Final = "Status"
_KEY: Final = re.compile(r"\.([0-9a-f-]{36})_(\d+)$")

_encoder: Final = msgspec.json.Encoder()
_log = structlog.get_logger(__name__)


class NatsStreams:
    """Implements `ports.Streams`. Watchers do not reply; the server does when there is none."""

    def __init__(self, nc: Client) -> None:
        self._nc = nc
        self._replies = ""
        self._unheard: set[tuple[UUID, int]] = set()
        self._open: set[tuple[UUID, int]] = set()

    async def start(self) -> None:
        """Subscribe to what the server says about parts that nobody hears."""
        self._replies = self._nc.new_inbox()
        await self._nc.subscribe(f"{self._replies}.*", cb=self._on_reply)

    async def publish(self, part: StreamPart) -> None:
        if not self._nc.is_connected:
            # The client would keep it, and send it when nobody reads it any more.
            return
        key = (part.task, part.attempt)
        self._open.add(key)
        self._unheard.discard(key)
        try:
            await self._nc.publish(
                subjects.stream(part.task),
                _encoder.encode(part),
                reply=f"{self._replies}.{part.task}_{part.attempt}",
            )
        except (NatsError, OSError) as error:
            _log.info("stream_part_not_sent", task=str(part.task), error=str(error))

    def heard(self, task: UUID, attempt: int) -> bool:
        return (task, attempt) not in self._unheard

    def forget(self, task: UUID, attempt: int) -> None:
        self._open.discard((task, attempt))
        self._unheard.discard((task, attempt))

    async def _on_reply(self, message: Msg) -> None:
        found = _KEY.search(message.subject)
        status = (message.headers or {}).get(_STATUS)
        if found is None or status != _NO_RESPONDERS:
            return
        key = (UUID(found[1]), int(found[2]))
        if key in self._open:
            self._unheard.add(key)
