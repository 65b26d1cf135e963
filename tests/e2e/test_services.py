"""The services together: each killed in turn under load, and their views rebuilt."""

import asyncio
import shutil
from collections import Counter
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

import msgspec
import pytest

from pointsman.cli.stack.accounts import FEEDBACK, SCHEDULER, WATCHERS
from pointsman.contracts import subjects
from pointsman.contracts.commands import (
    Accepted,
    Answer,
    Done,
    NotLeader,
    SubmitTask,
    decode_answers,
)
from pointsman.contracts.events import FeedbackGiven, TaskAccepted
from pointsman.contracts.feedback import GiveFeedback, RatingKind
from pointsman.contracts.history import judge
from pointsman.contracts.task_states import TaskState
from pointsman.runtime.packing import PackedRequests
from pointsman.testing import wait_until
from tests.e2e.housed_stack import HousedStack, housed_stack, view_rows
from tests.e2e.live_stack import COMPLETED, TENANT, show

pytestmark = pytest.mark.alone

TASKS_PER_KILL: Final = 40
CONVERSATIONS: Final = 4
_ENDED_S: Final = 90.0
_PATIENCE_S: Final = 60.0
_LOOKS: Final = 200

TURN: Final = "conversation.turn_appended.v1"


class Work:
    """Submits tasks, most of them turns of conversations, and rates their results."""

    def __init__(self, stack: HousedStack) -> None:
        nc = stack.client.nc
        self.stack = stack
        self.tasks: list[UUID] = []
        self.rated: list[UUID] = []
        self._submissions: PackedRequests[SubmitTask, Answer] = PackedRequests(
            nc,
            subjects.command(SCHEDULER, "submit", stack.record.pool),
            decode_answers=decode_answers,
            is_not_leader=lambda answer: isinstance(answer, NotLeader),
            patience_s=_PATIENCE_S,
        )
        self._ratings: PackedRequests[GiveFeedback, Answer] = PackedRequests(
            nc,
            subjects.command(FEEDBACK, "give"),
            decode_answers=decode_answers,
            is_not_leader=lambda answer: isinstance(answer, NotLeader),
            patience_s=_PATIENCE_S,
        )

    async def stop(self) -> None:
        await self._submissions.stop()
        await self._ratings.stop()

    async def submit(self, count: int) -> None:
        answers = await asyncio.gather(*(self._submit(number) for number in range(count)))
        self.tasks += answers

    async def rate(self, tasks: list[UUID]) -> None:
        """Ratings of completed tasks."""
        for task in tasks:
            answer = await self._ratings.ask(
                GiveFeedback(
                    command_id=f"rating-{task}",
                    tenant=TENANT,
                    task=task,
                    kind=RatingKind.BOOLEAN,
                    value=True,
                    by="test",
                )
            )
            assert isinstance(answer, Done), answer
        self.rated += tasks

    async def _submit(self, number: int) -> UUID:
        name = str(uuid4())
        answer = await self._submissions.ask(
            SubmitTask(
                command_id=name,
                tenant=TENANT,
                family="summarize",
                payload=f"Text number {number} of {name}. It has two sentences.".encode(),
                conversation=f"talk-{number % CONVERSATIONS}" if number % 2 else None,
                cache=number % 5 == 0,
            )
        )
        assert isinstance(answer, Accepted), answer
        return answer.task


@pytest.mark.slow
async def test_each_service_may_be_killed_in_turn_and_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with housed_stack(tmp_path / "data", monkeypatch) as stack:
        work = Work(stack)
        for service in (*WATCHERS, SCHEDULER):
            submitting = asyncio.create_task(work.submit(TASKS_PER_KILL))
            await stack.kill(service)
            await submitting
        await stack.log.wait_for_ends(work.tasks, timeout_s=_ENDED_S)
        for service in (FEEDBACK, SCHEDULER):
            rating = asyncio.create_task(work.rate(work.tasks[len(work.rated) :][:10]))
            await stack.kill(service)
            await rating
        turns = await all_turns(stack)
        await work.stop()
        tell(stack, work)

    verdict = judge(stack.log.events)
    completed = {event.stream for event in stack.log.events if event.type == COMPLETED}
    appended, given = Counter(turns_of(stack)), Counter(ratings_of(stack))
    assert verdict.clean, verdict.faults()
    # The context service's own tasks come on top; their answers may come too late for it.
    assert set(work.tasks) <= completed
    assert set(verdict.ended) <= {TaskState.COMPLETED, TaskState.EXPIRED}
    assert appended == Counter(turns)
    assert given == Counter(str(task) for task in work.rated)


def tell(stack: HousedStack, work: Work) -> None:
    verdict = judge(stack.log.events)
    show(
        test="services killed",
        kills=len(WATCHERS) + 3,
        starts={name: housed.starts for name, housed in stack.together.housed.items()},
        tasks=verdict.accepted,
        ended=verdict.ended,
        lost=len(verdict.lost),
        duplicate_results=len(verdict.duplicate_results),
        turns=len(turns_of(stack)),
        ratings=len(work.rated),
    )


async def all_turns(stack: HousedStack) -> set[str]:
    """The tasks of conversations, once each has become a turn."""
    turns = conversation_tasks(stack)
    await stack.log.wait_for(lambda: len(turns_of(stack)) >= len(turns), timeout_s=_ENDED_S)
    return turns


@pytest.mark.slow
async def test_views_that_are_deleted_are_rebuilt_equal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    async with housed_stack(data, monkeypatch) as stack:
        work = Work(stack)
        await work.submit(TASKS_PER_KILL)
        await stack.log.wait_for_ends(work.tasks, timeout_s=_ENDED_S)
        await work.rate(work.tasks[:10])
        await all_turns(stack)
        await work.stop()
        before = await rows_at_rest(data)
    shutil.rmtree(data / "views")

    async with housed_stack(data, monkeypatch):
        await wait_until(
            lambda: view_rows(data) == before, timeout_s=_ENDED_S, message="the same rows"
        )

    assert {name.partition(".")[0] for name in before} >= {"tasks", "dead_letters"}
    assert sum(map(bool, before.values())) >= len(WATCHERS)
    show(test="views rebuilt", rows={name: len(rows) for name, rows in before.items() if rows})


async def rows_at_rest(data: Path) -> dict[str, list[tuple[object, ...]]]:
    """All rows, once they have not changed for a while."""
    looks: list[dict[str, list[tuple[object, ...]]]] = []

    def at_rest() -> bool:
        looks.append(view_rows(data))
        return len(looks) >= _LOOKS and all(look == looks[-1] for look in looks[-_LOOKS:])

    await wait_until(at_rest, timeout_s=_ENDED_S, message="views at rest")
    return looks[-1]


def conversation_tasks(stack: HousedStack) -> set[str]:
    """Tasks that belong to a conversation."""
    return {
        str(event.stream)
        for event in stack.log.events
        if event.type == "task.accepted.v1"
        and msgspec.json.decode(event.data, type=TaskAccepted).conversation is not None
    }


class _Turn(msgspec.Struct):
    task: str


class _Appended(msgspec.Struct):
    turn: _Turn


def turns_of(stack: HousedStack) -> list[str]:
    """The tasks whose turns were appended."""
    return [
        msgspec.json.decode(event.data, type=_Appended).turn.task
        for event in stack.log.events
        if event.type == TURN
    ]


def ratings_of(stack: HousedStack) -> list[str]:
    return [
        msgspec.json.decode(event.data, type=FeedbackGiven).task
        for event in stack.log.events
        if event.type == "feedback.given.v1"
    ]
