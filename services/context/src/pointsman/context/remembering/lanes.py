"""Work in lanes: one after the other inside a lane, side by side between lanes."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final
from uuid import UUID

import structlog

from pointsman.context.domain.tasks import TaskFacts

_SIDE_BY_SIDE: Final = 64

_log = structlog.get_logger(__name__)

Step = Callable[[TaskFacts], Awaitable[None]]


class Lanes:
    """Takes each piece of work once; a lane whose step fails gives up what waits in it.

    What was given up is taken again when it is offered again: it stays due in the view.
    """

    def __init__(self, step: Step) -> None:
        self._step = step
        self._waiting: dict[UUID, deque[TaskFacts]] = {}
        self._taken: set[tuple[UUID, bool]] = set()
        self._free = asyncio.Semaphore(_SIDE_BY_SIDE)
        self._running: set[asyncio.Task[None]] = set()

    def offer(self, due: list[TaskFacts]) -> None:
        """Everything that is due, in its order; what is under way or done is passed over."""
        under_way = {_key(facts) for lane in self._waiting.values() for facts in lane}
        # What is due no more has been seen in the log; it need not be remembered.
        self._taken &= under_way | {_key(facts) for facts in due}
        for facts in due:
            if _key(facts) in self._taken:
                continue
            self._taken.add(_key(facts))
            lane = self._waiting.get(facts.lane)
            if lane is not None:
                lane.append(facts)
                continue
            self._waiting[facts.lane] = deque([facts])
            task = asyncio.get_running_loop().create_task(self._run(facts.lane), name="lane")
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def stop(self) -> None:
        """Give up on everything; it is due again at the next start."""
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def _run(self, lane: UUID) -> None:
        waiting = self._waiting[lane]
        try:
            while waiting:
                async with self._free:
                    await self._step(waiting[0])
                waiting.popleft()
        except Exception as error:  # noqa: BLE001 - whatever it is, the work stays due
            code = getattr(error, "code", None)
            _log.warning("lane_given_up", waiting=len(waiting), reason=repr(error), code=code)
            self._taken -= {_key(facts) for facts in waiting}
        finally:
            del self._waiting[lane]


def _key(facts: TaskFacts) -> tuple[UUID, bool]:
    return facts.task, facts.completed is not None
