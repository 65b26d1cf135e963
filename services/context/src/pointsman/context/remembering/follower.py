"""From what the ledger shows as due to what has to happen."""

from typing import Final

import structlog

from pointsman.context.domain.tasks import PREPARATION_S, TaskFacts
from pointsman.context.ports import TaskLedger
from pointsman.context.remembering.capacity import Capacity
from pointsman.context.remembering.conversations import Conversations
from pointsman.context.remembering.embeddings import Embeddings, Subject
from pointsman.context.remembering.lanes import Lanes
from pointsman.context.remembering.preparation import Preparation
from pointsman.context.remembering.response_cache import ResponseCache
from pointsman.eventstore.ports import LogUnavailableError
from pointsman.runtime.clock import Clock

_LIMIT: Final = 500
# What was given up while nothing changes is taken again.
_LOOK_AGAIN_S: Final = 1.0

_log = structlog.get_logger(__name__)


class Follower:
    """Takes what is due whenever the ledger changes: turns, responses, preparations, resizing."""

    def __init__(
        self,
        ledger: TaskLedger,
        preparation: Preparation,
        conversations: Conversations,
        responses: ResponseCache,
        embeddings: Embeddings,
        capacity: Capacity,
        clock: Clock,
    ) -> None:
        self._ledger = ledger
        self._preparation = preparation
        self._conversations = conversations
        self._responses = responses
        self._embeddings = embeddings
        self._capacity = capacity
        self._clock = clock
        self._lanes = Lanes(self._step)

    async def run(self) -> None:
        """Until cancelled."""
        seen = -1
        while True:
            seen = await self._ledger.changed(seen, timeout_s=_LOOK_AGAIN_S)
            await self.round()

    async def round(self) -> None:
        """Look once; what was found goes on in its lanes."""
        await self._embeddings.notice()
        oldest = self._clock.wall() - PREPARATION_S
        self._lanes.offer(list(await self._ledger.due(oldest, limit=_LIMIT)))
        name, last = self._capacity.name, self._capacity.last_cause
        try:
            await self._capacity.follow(await self._ledger.growths(name, last))
        except LogUnavailableError as error:
            _log.warning("context_pool_not_resized", code=error.code, reason=str(error))

    async def stop(self) -> None:
        """Give up on what is under way; it is due again at the next start."""
        await self._lanes.stop()
        await self._embeddings.stop()

    async def _step(self, facts: TaskFacts) -> None:
        if facts.completed is None:
            await self._preparation.prepare(facts)
            return
        if facts.wants_turn:
            await self._conversations.append(facts)
            self._embeddings.make(Subject(facts.pool, facts.tenant, facts.task, facts.input))
        if facts.wants_response:
            await self._responses.store(facts)
