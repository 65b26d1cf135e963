"""Ratings that turn which variant is preferred, and turn it back when they are withdrawn."""

import asyncio
import random
from dataclasses import dataclass
from typing import Final
from uuid import UUID, uuid4

from pointsman.cli.failures import CommandError, ExitCode
from pointsman.cli.services_demo.desk import Desk
from pointsman.cli.stack.accounts import FEEDBACK
from pointsman.contracts import subjects
from pointsman.contracts.commands import Answer, Done, NotLeader, decode_answers
from pointsman.contracts.feedback import GiveFeedback, RatingKind, WithdrawFeedback
from pointsman.contracts.queries import AskPool, ModelRow
from pointsman.runtime.packing import PackedRequests

FAMILY: Final = "classify"
RATINGS: Final = 60
"""Of each variant."""
LIKED: Final = 0.9
DISLIKED: Final = 0.4

_SEED: Final = 7
_TURN_S: Final = 20.0
_TEXT: Final = "The train to the coast leaves the station at nine; its engine was repaired."


@dataclass(frozen=True, slots=True)
class Turned:
    """Which variant a task got before and after the ratings."""

    before: str
    after: str
    ratings: int
    why: str


async def turn_preference(desk: Desk) -> Turned:
    """Rate the registry's second best above its best, look, and undo it. Raises `CommandError`."""
    models = await desk.client.ask("models", AskPool(), list[ModelRow])
    best, other = [model.variant for model in models if model.family == FAMILY][:2]
    before = await desk.completed(await desk.submit(FAMILY, _TEXT))
    rated = {
        variant: [await desk.submit(FAMILY, f"{_TEXT} {n}", model=variant) for n in range(RATINGS)]
        for variant in (best, other)
    }
    for tasks in rated.values():
        await desk.log.until(
            lambda tasks=tasks: desk.log.all_ended(tasks), timeout_s=_TURN_S, what="rated tasks"
        )
    author = f"demo-{uuid4().hex[:8]}"
    draws = random.Random(_SEED)
    ratings = [
        (task, draws.random() < share)
        for variant, share in ((best, DISLIKED), (other, LIKED))
        for task in rated[variant]
    ]
    await _give(desk, ratings, author)
    await _preferred(desk, "the turn of the preference", after=0)
    turned_at = len(desk.log.events)
    after_task = await desk.submit(FAMILY, _TEXT)
    after = await desk.completed(after_task)
    why = await desk.why(after_task)
    await _withdraw(desk, [task for task, _ in ratings], author)
    await _preferred(desk, "the way back of the preference", after=turned_at)
    return Turned(before.variant, after.variant, len(ratings), why)


async def _give(desk: Desk, ratings: list[tuple[UUID, bool]], author: str) -> None:
    requests = _requests(desk, "give")
    try:
        answers = await asyncio.gather(
            *(
                requests.ask(
                    GiveFeedback(
                        command_id=f"{author}-{task}",
                        tenant=desk.tenant,
                        task=task,
                        kind=RatingKind.BOOLEAN,
                        value=good,
                        by=author,
                    )
                )
                for task, good in ratings
            )
        )
    finally:
        await requests.stop()
    _all_done(answers)


async def _withdraw(desk: Desk, tasks: list[UUID], author: str) -> None:
    requests = _requests(desk, "withdraw")
    try:
        answers = await asyncio.gather(
            *(
                requests.ask(
                    WithdrawFeedback(
                        command_id=f"{author}-undo-{task}",
                        by=author,
                        reason="the demo leaves nothing behind",
                        tenant=desk.tenant,
                        task=task,
                        author=author,
                    )
                )
                for task in tasks
            )
        )
    finally:
        await requests.stop()
    _all_done(answers)


def _requests(desk: Desk, verb: str) -> PackedRequests[GiveFeedback | WithdrawFeedback, Answer]:
    return PackedRequests(
        desk.client.nc,
        subjects.command(FEEDBACK, verb),
        decode_answers=decode_answers,
        is_not_leader=lambda answer: isinstance(answer, NotLeader),
    )


def _all_done(answers: list[Answer]) -> None:
    for answer in answers:
        if not isinstance(answer, Done):
            raise CommandError(
                f"a rating was not taken: {answer}",
                code="demo_failed",
                exit_code=ExitCode.FAILURE,
                next_step="run pointsman feedback ls",
            )


async def _preferred(desk: Desk, what: str, *, after: int) -> None:
    """Wait for a change of a preference among the events read beyond an index."""
    await desk.log.until(
        lambda: any(
            event.type == "quality.preference_changed.v1" for event in desk.log.events[after:]
        ),
        timeout_s=_TURN_S,
        what=what,
    )
