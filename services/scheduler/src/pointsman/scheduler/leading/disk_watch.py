"""What is done when the disk fills: say so, then take nothing new until there is room again."""

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from pointsman.contracts.commands import Unavailable
from pointsman.policy.disk_room import REFUSE_AT, WARN_AT, DiskReading, Room, next_room
from pointsman.scheduler.ports import Disk

DISK_FULL: Final = "disk_full"

_LOOK_S: Final = 5.0
_RETRY_AFTER_S: Final = 10.0
_MIB: Final = 1024 * 1024
_NEXT: Final = (
    "free space on the disk of the data directory, give it a larger one or raise the budget; "
    "`pointsman log archive --before TIME` moves ended tasks into small files. Work is taken again "
    "by itself"
)

_log = structlog.get_logger(__name__)


class DiskWatch:
    """Knows whether there is room for new work; `on_change` is told of each change in words."""

    def __init__(
        self, disk: Disk, on_change: Callable[[Room, str], None], *, look_s: float = _LOOK_S
    ) -> None:
        self._disk = disk
        self._on_change = on_change
        self._look_s = look_s
        self._room = Room.AMPLE
        self._detail = ""

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            try:
                self._take(await self._disk.read())
            except OSError as error:
                _log.warning("disk_not_read", error=str(error))
            await asyncio.sleep(self._look_s)

    def refusal(self) -> Unavailable | None:
        """Why nothing new is taken now; None while there is room."""
        if self._room is not Room.FULL:
            return None
        return Unavailable(
            retry_after_s=_RETRY_AFTER_S, message=self._detail, code=DISK_FULL, next=_NEXT
        )

    def _take(self, reading: DiskReading) -> None:
        before, self._room = self._room, next_room(self._room, reading.share)
        self._detail = _words(self._room, reading)
        if self._room is before:
            return
        level = _log.info if self._room is Room.AMPLE else _log.warning
        level(f"disk_{self._room}", used_mib=reading.used // _MIB, free_mib=reading.free // _MIB)
        self._on_change(self._room, self._detail)


def _words(room: Room, reading: DiskReading) -> str:
    if room is Room.AMPLE:
        return ""
    limit, meaning = WARN_AT, "new work is taken until it is 95 %"
    if room is Room.FULL:
        limit, meaning = REFUSE_AT, "new work is refused, running work finishes"
    return (
        f"the room for data is {reading.share:.0%} full (limit {limit:.0%}): "
        f"{reading.used // _MIB} MiB taken, {reading.free // _MIB} MiB free; {meaning}"
    )
