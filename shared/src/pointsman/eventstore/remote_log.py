"""The log as its keeper shows it over the bus: for what the feed no longer holds."""

import asyncio
from collections.abc import Sequence
from typing import Final

import msgspec
import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError

from pointsman.contracts import subjects
from pointsman.contracts.queries import AskLog, ListEvents, LogRow
from pointsman.contracts.recorded import Recorded
from pointsman.eventstore.log_identity import LogIdentity

_KEEPER: Final = "scheduler"
_TIMEOUT_S: Final = 2.0
_RETRY_S: Final = 0.5

_encoder: Final = msgspec.json.Encoder()
_events: Final = msgspec.json.Decoder(list[Recorded])
_row: Final = msgspec.json.Decoder(LogRow)
_log = structlog.get_logger(__name__)


class RemoteLog:
    """Implements `ports.CommittedEvents` by questions to the scheduler, asked until answered.

    What comes later is followed on the feed. `service` is who asks, for the process's log.
    """

    def __init__(self, nc: Client, service: str) -> None:
        self._nc = nc
        self._service = service

    async def read(
        self, after: int, *, limit: int = 1000, topics: Sequence[str] = ()
    ) -> Sequence[Recorded]:
        question = ListEvents(after=after, limit=limit, topics=tuple(topics))
        return _events.decode(await self._ask("events", question, "["))

    async def head(self) -> int:
        return (await self._ask_log()).position

    async def identity(self) -> LogIdentity:
        answer = await self._ask_log()
        return LogIdentity(answer.incarnation, answer.ancestors)

    async def _ask_log(self) -> LogRow:
        return _row.decode(await self._ask("log", AskLog(), '{"incarnation"'))

    async def _ask(self, verb: str, question: msgspec.Struct, expected: str) -> bytes:
        subject = subjects.query(_KEEPER, verb)
        said = ""
        while True:
            try:
                reply = await self._nc.request(
                    subject, _encoder.encode(question), timeout=_TIMEOUT_S
                )
                if reply.data.startswith(expected.encode()):
                    return reply.data
                why = reply.data[:200].decode(errors="replace")
            except (NatsError, TimeoutError) as error:
                why = f"{type(error).__name__} {error}".strip()
            if why != said:
                _log.warning("log_awaited", service=self._service, subject=subject, reason=why)
                said = why
            await asyncio.sleep(_RETRY_S)
