"""Ratings that are given and taken back."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from pointsman.contracts.commands import Answer, Done, Rejected, Unavailable
from pointsman.contracts.events import FeedbackGiven, FeedbackWithdrawn
from pointsman.contracts.feedback import (
    GiveFeedback,
    ListRatings,
    RatingKind,
    WithdrawFeedback,
)
from pointsman.eventstore.ports import INBOX_KEEP_S
from pointsman.testing.memory_event_store import MemoryEventStore
from tests.feedback.world import (
    BAD,
    GOOD,
    Feedback,
    accepted,
    cancelled,
    completed,
    feedback,
    rating,
)


@pytest.fixture
async def here(tmp_path: Path) -> AsyncGenerator[Feedback]:
    async with feedback(tmp_path) as running:
        yield running


def done(answer: Answer) -> UUID:
    assert isinstance(answer, Done), answer
    return UUID(answer.detail)


def code(answer: Answer) -> str:
    assert isinstance(answer, Rejected), answer
    return answer.code


async def test_a_rating_names_the_variant_that_served(here: Feedback) -> None:
    task = await here.task(accepted(pool="gpu", conversation="mail"), completed(variant="small"))

    rated = done(await here.giving.give(rating(task, BAD)))

    (given,) = await here.history(FeedbackGiven)
    assert (given.rating, given.task) == (str(rated), str(task))
    assert (given.family, given.variant, given.pool) == ("summarize", "small", "gpu")
    assert (given.kind, given.value, given.conversation) == ("boolean", 0.0, "mail")


async def test_words_are_a_blob_and_never_in_the_log(here: Feedback) -> None:
    task = await here.completed()

    done(await here.giving.give(rating(task, 0.5, comment="too long, Grüße")))

    (given,) = await here.history(FeedbackGiven)
    assert given.comment is not None
    assert await here.blobs.get("acme", given.comment) == "too long, Grüße".encode()
    assert not any(b"too long" in bytes(each.data) for each in await here.store.read(0))


async def test_a_repeated_rating_is_the_same_one(here: Feedback) -> None:
    command = rating(await here.completed(), 0.7, comment="good")

    first = [done(answer) for answer in await asyncio.gather(
        *(here.giving.give(command) for _ in range(4))
    )]  # fmt: skip
    later = done(await here.giving.give(command))

    assert {*first, later} == {later}
    assert len(await here.history(FeedbackGiven)) == 1


async def test_another_rating_under_the_same_id_is_refused(here: Feedback) -> None:
    task = await here.completed()
    different = (
        rating(task, 0.7, id_="r-1"),
        rating(task, 0.8, id_="r-1"),
        rating(task, 0.7, id_="r-1", comment="words"),
        rating(task, 0.7, id_="r-1", by="bob"),
    )

    at_once = await asyncio.gather(*(here.giving.give(each) for each in different))
    later = [await here.giving.give(each) for each in different]

    assert sum(isinstance(answer, Done) for answer in at_once) == 1
    for answer, again in zip(at_once, later, strict=True):
        assert again == answer
        assert isinstance(answer, Done) or code(answer) == "id_reused"


async def test_a_repetition_is_recognised_when_command_ids_were_forgotten(
    tmp_path: Path,
) -> None:
    store = MemoryEventStore()
    async with feedback(tmp_path, store) as here:
        command = rating(await here.completed(), GOOD)
        first = done(await here.giving.give(command))
    await store.prune_inbox(keep_s=-INBOX_KEEP_S)

    async with feedback(tmp_path, store) as here:
        assert done(await here.giving.give(command)) == first
        assert len(await here.history(FeedbackGiven)) == 1


async def test_ids_of_different_senders_do_not_meet(here: Feedback) -> None:
    command = rating(await here.completed(), GOOD, id_="1")

    doors = ("command", "event /shop", "event /mail")
    rated = {done(await here.giving.give(command, sender=door)) for door in doors}

    assert len(rated) == 3


async def test_a_task_is_rated_whatever_its_age(here: Feedback) -> None:
    task = await here.completed()
    here.clock.passes(400 * 86_400)

    assert done(await here.giving.give(rating(task, GOOD)))


async def test_only_own_tasks_that_have_completed_are_rated(here: Feedback) -> None:
    theirs = await here.completed(tenant="other")
    running = await here.task(accepted())
    given_up = await here.task(accepted(), cancelled())

    assert code(await here.giving.give(rating(uuid4()))) == "no_such_task"
    assert code(await here.giving.give(rating(theirs))) == "no_such_task"
    assert code(await here.giving.give(rating(running))) == "task_not_completed"
    assert code(await here.giving.give(rating(given_up))) == "task_without_result"


async def test_a_rating_that_came_too_early_is_welcome_later(here: Feedback) -> None:
    task = await here.task(accepted())
    command = rating(task, GOOD)
    assert code(await here.giving.give(command)) == "task_not_completed"

    await here.task(completed(), stream=task, after=1)

    assert done(await here.giving.give(command))


@pytest.mark.parametrize(
    "command",
    [
        rating(uuid4(), 0.5, kind=RatingKind.BOOLEAN),
        rating(uuid4(), None, kind=RatingKind.BOOLEAN),
        rating(uuid4(), GOOD, kind=RatingKind.SCORE),
        rating(uuid4(), None, kind=RatingKind.SCORE),
        rating(uuid4(), 1.01, kind=RatingKind.SCORE),
        rating(uuid4(), -0.01, kind=RatingKind.SCORE),
        rating(uuid4(), 0.5, kind=RatingKind.COMMENT, comment="a"),
        rating(uuid4(), None, kind=RatingKind.COMMENT),
        rating(uuid4(), None, kind=RatingKind.COMMENT, comment=""),
    ],
)
async def test_a_value_has_to_fit_its_kind(here: Feedback, command: GiveFeedback) -> None:
    assert code(await here.giving.give(command)) == "invalid_rating"


async def test_words_have_a_limit(here: Feedback) -> None:
    task = await here.completed()

    longest = rating(task, None, kind=RatingKind.COMMENT, comment="ü" * 10_000)
    longer = rating(task, None, kind=RatingKind.COMMENT, comment="ü" * 10_001)

    assert done(await here.giving.give(longest))
    assert code(await here.giving.give(longer)) == "comment_too_long"


async def test_a_log_that_cannot_be_written_is_told(here: Feedback, tmp_path: Path) -> None:
    task = await here.completed()
    assert isinstance(here.store, MemoryEventStore)
    here.store.failure = "disk full"

    answer = await here.giving.give(rating(task, GOOD))

    assert isinstance(answer, Unavailable)


def withdraw(**chosen: object) -> WithdrawFeedback:
    return WithdrawFeedback(command_id=str(uuid4()), by="eve", **chosen)  # pyright: ignore[reportArgumentType]  # every test gives some fields


async def withdrawn(here: Feedback, command: WithdrawFeedback) -> int:
    answer = await here.withdrawing.withdraw(command)
    assert isinstance(answer, Done), answer
    return int(answer.detail.split()[0])


async def test_a_rating_is_withdrawn_once(here: Feedback) -> None:
    task = await here.completed()
    rated = done(await here.giving.give(rating(task, GOOD)))

    command = withdraw(rating=rated, reason="slipped")
    counts = await asyncio.gather(*(withdrawn(here, command) for _ in range(3)))

    assert sorted(counts) == [0, 0, 1]
    (event,) = await here.history(FeedbackWithdrawn)
    assert (event.rating, event.by, event.reason) == (str(rated), "eve", "slipped")


async def test_a_withdrawn_rating_stays_withdrawn_when_it_is_sent_again(here: Feedback) -> None:
    command = rating(await here.completed(), GOOD)
    rated = done(await here.giving.give(command))
    await withdrawn(here, withdraw(rating=rated))

    assert done(await here.giving.give(command)) == rated
    assert here.learned.ratings.lesson("summarize").ratings == 0


async def test_all_ratings_of_an_author_for_a_task_are_withdrawn(here: Feedback) -> None:
    task, other = await here.completed(), await here.completed()
    for rated in (task, task, other):
        await here.giving.give(rating(rated, GOOD, by="ada"))
    await here.giving.give(rating(task, GOOD, by="bob"))

    assert await withdrawn(here, withdraw(task=task, author="ada")) == 2

    left = here.questions.ratings(ListRatings(task=task))
    assert [(row.by, row.withdrawn_by) for row in left] == [
        ("bob", None), ("ada", "eve"), ("ada", "eve"),
    ]  # fmt: skip


async def test_an_operator_withdraws_a_family_since_a_time(here: Feedback) -> None:
    task = await here.completed()
    for _ in range(3):
        await here.giving.give(rating(task, GOOD))
        here.clock.passes(10)
    since = here.clock.wall() - 20

    assert await withdrawn(here, withdraw(family="summarize", since=since)) == 2
    assert await withdrawn(here, withdraw(family="summarize")) == 1
    assert await withdrawn(here, withdraw(family="translate")) == 0


async def test_a_tenant_withdraws_its_own_ratings_only(here: Feedback) -> None:
    rated = done(await here.giving.give(rating(await here.completed(), GOOD)))

    refused = await here.withdrawing.withdraw(withdraw(rating=rated, tenant="other"))

    assert code(refused) == "no_such_rating"
    assert await withdrawn(here, withdraw(family="summarize", tenant="other")) == 0
    assert await withdrawn(here, withdraw(rating=rated, tenant="acme")) == 1


@pytest.mark.parametrize(
    "command",
    [
        withdraw(),
        withdraw(rating=uuid4(), family="summarize"),
        withdraw(task=uuid4()),
    ],
)
async def test_a_withdrawal_says_exactly_what(here: Feedback, command: WithdrawFeedback) -> None:
    assert code(await here.withdrawing.withdraw(command)) == "invalid_withdrawal"


async def test_ratings_are_listed_newest_first(here: Feedback) -> None:
    first, second = await here.completed(), await here.completed(family="translate")
    for task in (first, second, first):
        await here.giving.give(rating(task, GOOD))
        here.clock.passes(1)

    def listed(**asked: object) -> list[str]:
        asking = ListRatings(**asked)  # pyright: ignore[reportArgumentType]  # every case gives some fields
        return [row.task for row in here.questions.ratings(asking)]

    assert listed() == [str(first), str(second), str(first)]
    assert listed(family="translate") == listed(task=second) == [str(second)]
    assert listed(limit=1) == [str(first)]
    assert listed(tenant="other") == []
