"""Ratings taken back; what was learned from them goes with them."""

import asyncio
from typing import Final

from pointsman.contracts.commands import Answer, Done, Rejected, Unavailable
from pointsman.contracts.decided import Decided
from pointsman.contracts.events import FeedbackWithdrawn
from pointsman.contracts.feedback import WithdrawFeedback
from pointsman.eventstore.own_events import OwnEvents
from pointsman.eventstore.ports import Appended, LogUnavailableError
from pointsman.feedback.domain.learned import Learned
from pointsman.feedback.domain.ratings import Rating
from pointsman.runtime.clock import Clock

# Each is an append of its own, so that a large withdrawal shares commits with everybody else's.
_AT_ONCE: Final = 200
_RETRY_AFTER_S: Final = 1.0


class Withdrawing:
    """Withdraws each rating at most once; a repeated command withdraws what is left."""

    def __init__(self, own: OwnEvents, learned: Learned, clock: Clock) -> None:
        self._own = own
        self._learned = learned
        self._clock = clock

    async def withdraw(self, command: WithdrawFeedback) -> Answer:
        """Answered with `Done` and how many were withdrawn by this command."""
        chosen = self._learned.ratings.chosen(command)
        if isinstance(chosen, Rejected):
            return chosen
        withdrawn = 0
        try:
            for start in range(0, len(chosen), _AT_ONCE):
                part = chosen[start : start + _AT_ONCE]
                answers = await asyncio.gather(*(self._one(rating, command) for rating in part))
                withdrawn += sum(answers)
        except LogUnavailableError as error:
            return Unavailable(retry_after_s=_RETRY_AFTER_S, message=str(error))
        return Done(detail=f"{withdrawn} withdrawn")

    async def _one(self, rating: Rating, command: WithdrawFeedback) -> bool:
        event = FeedbackWithdrawn(
            at=self._clock.wall(),
            applied_to=self._own.position,
            rating=str(rating.id),
            task=rating.given.task,
            family=rating.given.family,
            variant=rating.given.variant,
            by=command.by,
            reason=command.reason,
        )
        # The second event of a rating's stream is its only end: a later one is a conflict.
        decided = Decided(rating.id, 1, (event,), rating.tenant)
        return isinstance(await self._own.record(decided), Appended)
