"""Appends to the monitor's own streams; a log that is away is asked again at the next turn."""

import hashlib
from typing import Final

import structlog

from pointsman.contracts.events import Decision
from pointsman.contracts.streams import stream_id
from pointsman.eventstore.own_events import OwnEvents
from pointsman.eventstore.ports import Appended, Command, LogUnavailableError

SERVICE: Final = "resource_monitor"

_log = structlog.get_logger(__name__)


class Recording:
    """Records one event at a time, and says whether it is in the log now."""

    def __init__(self, own: OwnEvents) -> None:
        self._own = own
        self._away = False

    @property
    def position(self) -> int:
        """Last own position that was folded."""
        return self._own.position

    async def record(self, kind: str, name: str, event: Decision, *, once: str = "") -> bool:
        """Append to the stream `kind`/`name`.

        `once` names what may be recorded once only: a repetition after an answer that was lost
        is then no second event. False: nothing was recorded, and whoever asked decides again.
        """
        decided = self._own.decided(stream_id(kind, name), event)
        command = _once(once) if once else None
        try:
            answer = await self._own.record(decided, command)
        except LogUnavailableError as error:
            if not self._away:
                self._away = True
                _log.warning("not_recorded", code=error.code, detail=str(error))
            return False
        self._away = False
        return isinstance(answer, Appended)


def _once(name: str) -> Command:
    return Command(
        consumer=SERVICE,
        tenant="",
        message_id=name,
        request_hash=hashlib.sha256(name.encode()).digest(),
        reply=b"",
    )
