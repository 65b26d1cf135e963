"""The way in for tasks that were sent to the group: its pool is chosen here."""

from collections.abc import Callable
from typing import Final

import msgspec

from pointsman.contracts import subjects
from pointsman.contracts.commands import Answer, SubmitTask, Unavailable
from pointsman.contracts.forwarding import ForwardTask
from pointsman.contracts.pool_choice import PoolChoice
from pointsman.policy.group_load import GroupLoad
from pointsman.policy.pool_choice import choose_pool
from pointsman.runtime.pool_offers import offer_to_pools
from pointsman.scheduler.leading.submissions import Submissions
from pointsman.scheduler.ports import Draws, Neighbours

DOOR: Final = subjects.INBOX_CONSUMER
"""What tells the tasks of other systems from commands, in whichever pool they end up."""

_RETRY_AFTER_S: Final = 1.0


class GroupDoor:
    """Takes tasks from the work queue that the pools of a group share.

    `now` is the clock that `load` was told of the readings with.
    """

    def __init__(
        self,
        pool: str,
        submissions: Submissions,
        neighbours: Neighbours,
        load: GroupLoad,
        draws: Draws,
        now: Callable[[], float],
    ) -> None:
        self._pool = pool
        self._submissions = submissions
        self._neighbours = neighbours
        self._load = load
        self._draws = draws
        self._now = now

    async def submit(self, task: SubmitTask, *, request: bytes) -> Answer:
        """Accept a task once, in the pool that is expected to start it first."""
        choice, pools = self._choose(task)
        if choice is None:
            return await self._here(ForwardTask(task=task, sender=task.source, request=request))

        async def offer(offered: PoolChoice) -> Answer | None:
            chosen = msgspec.structs.replace(task, pool_choice=offered)
            forward = ForwardTask(task=chosen, sender=task.source, request=request)
            self._load.sent(offered.chosen, task.family)
            if offered.chosen == self._pool:
                return await self._here(forward)
            return await self._neighbours.forward(offered.chosen, forward)

        answer = await offer_to_pools(choice, pools, offer)
        if answer is not None:
            return answer
        detail = f"pool {choice.chosen} did not say whether it took the task"
        return Unavailable(retry_after_s=_RETRY_AFTER_S, message=detail)

    async def forwarded(self, command: ForwardTask) -> Answer:
        """Another pool's leader has chosen this pool."""
        return await self._here(command)

    def _choose(self, task: SubmitTask) -> tuple[PoolChoice | None, list[str]]:
        """None where there is one pool only: nobody has to choose."""
        now = self._now()
        readings = self._load.readings(task.family, at=now, known=(self._pool,))
        if len(readings) == 1:
            return None, [self._pool]
        draws = (self._draws.uniform(), self._draws.uniform())
        return choose_pool(readings, draws), [reading.pool for reading in readings]

    async def _here(self, command: ForwardTask) -> Answer:
        return await self._submissions.submit(
            command.task, door=DOOR, request=command.request, sender=command.sender
        )
