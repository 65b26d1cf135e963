"""Moving ended tasks into the archive when somebody asks."""

import asyncio
from typing import Final

import structlog

from pointsman.contracts.commands import Answer, Archived, ArchiveTasks, Rejected, Unavailable
from pointsman.eventstore.archived_log import ArchivedLog
from pointsman.eventstore.archiving import ArchiveMovedError, Archiving, last_movable
from pointsman.eventstore.ports import EventStore, LogUnavailableError
from pointsman.runtime.clock import Clock

_RETRY_AFTER_S: Final = 1.0

_log = structlog.get_logger(__name__)


class TaskArchive:
    """Archives ended tasks of the log, one segment after the other."""

    def __init__(self, log: EventStore, clock: Clock) -> None:
        self._log = log
        self._moving = Archiving(log) if isinstance(log, ArchivedLog) else None
        self._clock = clock
        self._one_at_a_time = asyncio.Lock()

    async def archive(self, command: ArchiveTasks) -> Answer:
        """Move at most one segment's worth."""
        if (command.before_position is None) == (command.before_time is None):
            return Rejected(
                code="moment_missing",
                message="exactly one of before_position and before_time must be given",
                next="name a position of the log or a time",
            )
        if self._moving is None or not isinstance(self._log, ArchivedLog):
            return Rejected(code="no_archive", message="this log is kept without an archive")
        try:
            async with self._one_at_a_time:
                upto = await last_movable(
                    self._log,
                    before_position=command.before_position,
                    before_time=command.before_time,
                    now=self._clock.wall(),
                )
                moved = await self._moving.move(upto, after=command.after)
        except (ArchiveMovedError, LogUnavailableError, OSError) as error:
            # Whatever was moved is in both places or in the archive; asking again makes up for it.
            return Unavailable(retry_after_s=_RETRY_AFTER_S, message=str(error))
        if moved.events:
            _log.info("archived", by=command.by, segment=moved.segment, events=moved.events)
        return Archived(
            upto=moved.upto,
            more=moved.more,
            events=moved.events,
            tasks=moved.streams,
            segment=moved.segment,
            size=moved.size,
        )
