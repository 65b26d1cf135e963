"""Forgetting command ids that no repetition is expected of any more."""

import asyncio
from typing import Final, NoReturn

import structlog

from pointsman.eventstore.ports import EventStore, LogUnavailableError

EVERY_S: Final = 3600.0

_log = structlog.get_logger(__name__)


async def forget_commands(store: EventStore) -> NoReturn:
    """Drop, every hour, those older than the time in which a repetition is recognised."""
    while True:
        try:
            await store.prune_inbox()
        except LogUnavailableError as error:
            _log.warning("inbox_not_pruned", code=error.code, detail=str(error))
        await asyncio.sleep(EVERY_S)
