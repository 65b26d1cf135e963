"""Commands and questions, in memory and on a real server."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

import msgspec
import pytest
from faststream.nats import NatsBroker, TestNatsBroker

from pointsman.contracts import subjects
from pointsman.contracts.commands import Answer, Done, Rejected, decode_answers
from pointsman.contracts.feedback import (
    FeedbackReport,
    ListRatings,
    RatingRow,
    ShowFeedback,
    WithdrawFeedback,
)
from pointsman.contracts.message import Message
from pointsman.feedback.handlers import build_command_router, build_query_router
from pointsman.runtime.broker import build_broker
from pointsman.runtime.settings import NatsSettings
from pointsman.testing.waiting import PATIENCE_S
from tests.feedback.world import GOOD, Feedback, feedback, rating, registered

T = TypeVar("T")

twice = pytest.mark.parametrize("real", [False, True], ids=["in-memory", "nats-server"])


@asynccontextmanager
async def served(url: str, here: Feedback, *, real: bool) -> AsyncGenerator[NatsBroker]:
    def fail(error: Exception) -> None:
        raise AssertionError(error)

    broker = build_broker(NatsSettings(url=url), name="feedback", on_fatal=fail)
    broker.include_router(build_command_router(here.giving, here.withdrawing))
    broker.include_router(build_query_router(here.questions))
    async with TestNatsBroker(broker, with_real=real) as running:
        yield running


async def command(broker: NatsBroker, verb: str, pack: Sequence[Message]) -> list[Answer]:
    subject = subjects.command("feedback", verb)
    return decode_answers(
        (await broker.request(msgspec.json.encode(pack), subject, timeout=PATIENCE_S)).body
    )


async def ask(broker: NatsBroker, verb: str, question: Message, type_: type[T]) -> T:
    subject = subjects.query("feedback", verb)
    reply = await broker.request(msgspec.json.encode(question), subject, timeout=PATIENCE_S)
    return msgspec.json.decode(reply.body, type=type_)


@twice
async def test_a_pack_of_ratings_is_answered_in_order(
    real: bool, nats_url: str, tmp_path: Path
) -> None:
    async with feedback(tmp_path) as here, served(nats_url, here, real=real) as broker:
        task = await here.completed()
        pack = [rating(task, GOOD), rating(uuid4(), GOOD), rating(task, 0.5)]

        first, refused, second = await command(broker, "give", pack)

        assert isinstance(first, Done)
        assert isinstance(second, Done)
        assert isinstance(refused, Rejected)
        assert refused.code == "no_such_task"
        rows = await ask(broker, "ratings", ListRatings(), list[RatingRow])
        assert {str(row.rating) for row in rows} == {second.detail, first.detail}


@twice
async def test_a_rating_is_withdrawn_and_what_was_learned_is_shown(
    real: bool, nats_url: str, tmp_path: Path
) -> None:
    async with feedback(tmp_path) as here, served(nats_url, here, real=real) as broker:
        await here.register(registered("large", 0.9))
        (rated, _) = await here.rate("large", GOOD, 2)

        withdrawal = WithdrawFeedback(command_id="w-1", by="eve", rating=rated)
        (answer,) = await command(broker, "withdraw", [withdrawal])

        assert answer == Done(detail="1 withdrawn")
        report = await ask(broker, "show", ShowFeedback(), FeedbackReport)
        (family,) = report.families
        (variant,) = family.variants
        assert (family.family, variant.ratings, variant.mean) == ("summarize", 1, 1.0)


async def test_what_is_no_rating_is_refused(nats_url: str, tmp_path: Path) -> None:
    async with feedback(tmp_path) as here, served(nats_url, here, real=True) as broker:
        subject = subjects.command("feedback", "give")

        reply = await broker.request(b'[{"command_id":"1"}]', subject, timeout=PATIENCE_S)

        (answer,) = decode_answers(reply.body)
        assert isinstance(answer, Rejected)
        assert answer.code == "malformed_request"
