"""Commands to the leaders of pools, packed."""

from typing import TypeVar

from nats.aio.client import Client

from pointsman.context.ports import SchedulerSilentError
from pointsman.contracts import subjects
from pointsman.contracts.commands import (
    Answer,
    NotLeader,
    PrepareTask,
    SubmitTask,
    decode_answers,
)
from pointsman.runtime.packing import NoAnswerError, PackedRequests, RequestRefusedError
from pointsman.runtime.packing_errors import RequestTooLargeError

_PATIENCE_S = 2.0

C = TypeVar("C", PrepareTask, SubmitTask)


class NatsScheduler:
    """Implements `ports.Scheduler`."""

    def __init__(self, nc: Client) -> None:
        self._nc = nc
        self._prepares: dict[str, PackedRequests[PrepareTask, Answer]] = {}
        self._submits: dict[str, PackedRequests[SubmitTask, Answer]] = {}

    async def prepare(self, pool: str, command: PrepareTask) -> Answer:
        return await self._ask(self._prepares, pool, "prepare", command)

    async def submit(self, pool: str, task: SubmitTask) -> Answer:
        return await self._ask(self._submits, pool, "submit", task)

    async def stop(self) -> None:
        """Give up on what waits."""
        for requests in (*self._prepares.values(), *self._submits.values()):
            await requests.stop()

    async def _ask(
        self, askers: dict[str, PackedRequests[C, Answer]], pool: str, verb: str, command: C
    ) -> Answer:
        asker = askers.get(pool)
        if asker is None:
            asker = askers[pool] = PackedRequests(
                self._nc,
                subjects.command("scheduler", verb, pool),
                decode_answers=decode_answers,
                is_not_leader=lambda answer: isinstance(answer, NotLeader),
                patience_s=_PATIENCE_S,
            )
        try:
            return await asker.ask(command)
        except (NoAnswerError, RequestRefusedError, RequestTooLargeError) as error:
            raise SchedulerSilentError(str(error)) from error
