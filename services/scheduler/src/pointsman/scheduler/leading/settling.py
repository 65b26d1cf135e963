"""Deciding and recording until no race is lost."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from pointsman.contracts.decided import Decided
from pointsman.eventstore.ports import Appended, LogUnavailableError, VersionConflict
from pointsman.scheduler.leading.decision_log import DecisionLog

TRIES: Final = 8
"""A decision that lost a race is made again on the newer state; races are with single commands, so
a handful of tries is plenty and a bound keeps a defect from spinning."""


class Settling:
    """Decisions that stand on folded state and are made again when it has moved on."""

    def __init__(self, log: DecisionLog) -> None:
        self.lead = log.lead
        self.devices = asyncio.Lock()
        """Decisions about devices share streams; one after the other they never conflict."""
        self._log = log

    async def settle(self, decide: Callable[[], Sequence[Decided]]) -> bool:
        """Decide and record; whether anything was recorded.

        Raises `FencedError` and `LogUnavailableError`, also when there is nothing to record and
        the lead is not certain: the log may hold what would be.
        """
        recorded = False
        for _ in range(TRIES):
            self.lead.require()
            decided = decide()
            if not decided:
                break
            answers = await self._log.record_all(decided)
            recorded = recorded or any(isinstance(answer, Appended) for answer in answers)
            if not any(isinstance(answer, VersionConflict) for answer in answers):
                break
        else:
            detail = "a decision lost too many races"
            raise LogUnavailableError(detail)
        return recorded

    async def settle_one(self, decide: Callable[[], Decided | None]) -> bool:
        """The same for one decision, where there is anything to decide."""

        def decided() -> list[Decided]:
            one = decide()
            return [] if one is None else [one]

        return await self.settle(decided)
