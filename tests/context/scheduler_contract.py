"""What every implementation of the port to the scheduler does."""

from typing import Protocol

import pytest

from pointsman.context.ports import Scheduler, SchedulerSilentError
from pointsman.contracts.commands import Accepted, Done, Duplicate, PrepareTask, SubmitTask
from tests.context.scheduling import UNKNOWN_FAMILY
from tests.context.world import World


class Making(Protocol):
    """A port whose other end is the scheduler of a world."""

    scheduler: Scheduler
    world: World


class SchedulerContract:
    """Inherited once per implementation, with a fixture `made`."""

    async def test_a_prepared_task_is_answered_as_done(self, made: Making) -> None:
        task = await made.world.accept("Why?", cache=False)

        answer = await made.scheduler.prepare("main", PrepareTask(command_id="1", task=task))

        assert isinstance(answer, Done)
        assert task in made.world.scheduler.prepared

    async def test_a_submitted_task_is_accepted_once(self, made: Making) -> None:
        ref = await made.world.blobs.put("acme", b"Why?", "text/plain")
        task = SubmitTask(command_id="embed:1", tenant="acme", family="embed", payload_ref=ref)

        first = await made.scheduler.submit("main", task)
        again = await made.scheduler.submit("main", task)

        assert isinstance(first, Accepted)
        assert isinstance(again, Duplicate)
        assert first.task == again.task

    async def test_a_refusal_is_an_answer(self, made: Making) -> None:
        made.world.scheduler.refusal = UNKNOWN_FAMILY
        ref = await made.world.blobs.put("acme", b"Why?", "text/plain")
        task = SubmitTask(command_id="embed:1", tenant="acme", family="embed", payload_ref=ref)

        assert await made.scheduler.submit("main", task) == UNKNOWN_FAMILY

    async def test_silence_is_an_error_that_says_so(self, made: Making) -> None:
        made.world.scheduler.silent = True
        task = await made.world.accept("Why?", cache=False)

        with pytest.raises(SchedulerSilentError):
            await made.scheduler.prepare("main", PrepareTask(command_id="1", task=task))
