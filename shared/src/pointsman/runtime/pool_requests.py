"""Commands of one verb to the leaders of several pools, packed per pool."""

from typing import Generic, TypeVar

from nats.aio.client import Client

from pointsman.contracts import subjects
from pointsman.contracts.commands import Answer, NotLeader, decode_answers
from pointsman.runtime.packing import PackedRequests
from pointsman.runtime.pool_offers import PATIENCE_S

C = TypeVar("C")


class PoolRequests(Generic[C]):
    """Asks the leaders of pools; raises as `PackedRequests.ask` does."""

    def __init__(
        self, nc: Client, service: str, verb: str, *, patience_s: float = PATIENCE_S
    ) -> None:
        self._nc = nc
        self._service = service
        self._verb = verb
        self._patience_s = patience_s
        self._of: dict[str, PackedRequests[C, Answer]] = {}

    async def ask(self, pool: str, command: C) -> Answer:
        """The final answer of a pool's leader."""
        requests = self._of.get(pool)
        if requests is None:
            requests = self._of[pool] = PackedRequests(
                self._nc,
                subjects.command(self._service, self._verb, pool),
                decode_answers=decode_answers,
                is_not_leader=lambda answer: isinstance(answer, NotLeader),
                patience_s=self._patience_s,
            )
        return await requests.ask(command)

    async def stop(self) -> None:
        """Give up on everything that waits."""
        for requests in self._of.values():
            await requests.stop()
