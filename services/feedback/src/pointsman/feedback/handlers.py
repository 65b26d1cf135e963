"""Requests on the bus: translated, handed on, answered. Nothing is decided here."""

import asyncio
from typing import Final

from faststream.nats import NatsRouter

from pointsman.contracts import subjects
from pointsman.contracts.commands import Answer
from pointsman.contracts.feedback import (
    FeedbackReport,
    GiveFeedback,
    ListRatings,
    RatingRow,
    ShowFeedback,
    WithdrawFeedback,
)
from pointsman.feedback.learning.giving import Giving
from pointsman.feedback.learning.questions import Questions
from pointsman.feedback.learning.withdrawing import Withdrawing
from pointsman.runtime.broker import body_decoder

_SERVICE: Final = "feedback"


def build_command_router(giving: Giving, withdrawing: Withdrawing) -> NatsRouter:
    """Commands; each message is a pack of one verb."""
    router = NatsRouter()

    @router.subscriber(subjects.command(_SERVICE, "give"), decoder=body_decoder(list[GiveFeedback]))
    async def give(ratings: list[GiveFeedback]) -> list[Answer]:
        return await asyncio.gather(*(giving.give(each, sender="command") for each in ratings))

    @router.subscriber(
        subjects.command(_SERVICE, "withdraw"), decoder=body_decoder(list[WithdrawFeedback])
    )
    async def withdraw(commands: list[WithdrawFeedback]) -> list[Answer]:
        return [await withdrawing.withdraw(each) for each in commands]

    return router


def build_query_router(questions: Questions) -> NatsRouter:
    """Questions; see `pointsman.contracts.feedback` for the table."""
    router = NatsRouter()

    @router.subscriber(subjects.query(_SERVICE, "show"), decoder=body_decoder(ShowFeedback))
    async def show(asked: ShowFeedback) -> FeedbackReport:
        return await questions.show(asked)

    @router.subscriber(subjects.query(_SERVICE, "ratings"), decoder=body_decoder(ListRatings))
    async def ratings(asked: ListRatings) -> list[RatingRow]:
        return questions.ratings(asked)

    return router
