"""Submitting to a group of pools: their leaders are asked for their load, and one is chosen."""

import asyncio
import random
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import msgspec
from nats.aio.client import Client
from nats.errors import Error as NatsError

from pointsman.contracts import subjects
from pointsman.contracts.commands import Answer, SubmitTask
from pointsman.contracts.pool_choice import ChoiceBasis, PoolChoice
from pointsman.contracts.queries import AskPool
from pointsman.contracts.telemetry import POOL_EVERY_S, PoolSample
from pointsman.policy.group_load import GroupLoad
from pointsman.policy.pool_choice import choose_pool
from pointsman.runtime.packing_errors import NoAnswerError
from pointsman.runtime.pool_offers import PATIENCE_S, offer_to_pools
from pointsman.runtime.pool_requests import PoolRequests

SCHEDULER: Final = "scheduler"

ONLY_PATIENCE_S: Final = 5.0
"""A leader that was killed is back by then; there is no other pool to ask."""

_LOAD_S: Final = 0.5
"""How long a leader's load is waited for; one that is silent is not chosen."""

_decoder: Final = msgspec.json.Decoder(PoolSample)
_question: Final = msgspec.json.encode(AskPool())


class PoolChoosing:
    """Gives tasks to the pools of a group; `only` names one where nothing is left to choose.

    Commands are short: instead of listening for the readings that leaders publish every second,
    it asks for them, and again when they are older than that.
    """

    def __init__(self, nc: Client, pools: Sequence[str], *, only: str | None = None) -> None:
        self._nc = nc
        self._pools = tuple(pools)
        self._only = only
        self._load = GroupLoad()
        self._asked_at = -POOL_EVERY_S
        self._asking = asyncio.Lock()
        patience_s = PATIENCE_S if only is None else ONLY_PATIENCE_S
        self._requests: PoolRequests[SubmitTask] = PoolRequests(
            nc, SCHEDULER, "submit", patience_s=patience_s
        )

    async def submit(self, command: SubmitTask) -> Answer:
        """The final answer; raises as `PackedRequests.ask` does."""
        silent: list[NoAnswerError] = []

        async def offer(choice: PoolChoice) -> Answer | None:
            self._load.sent(choice.chosen, command.family)
            chosen = msgspec.structs.replace(command, pool_choice=choice)
            try:
                return await self._requests.ask(choice.chosen, chosen)
            except NoAnswerError as error:
                silent.append(error)
                return None

        named = self._only is not None
        answer = await offer_to_pools(
            await self._choose(command.family), () if named else self._pools, offer
        )
        if answer is None:
            raise silent[0]
        return answer

    async def stop(self) -> None:
        """Give up on what waits."""
        await self._requests.stop()

    async def _choose(self, family: str) -> PoolChoice:
        if self._only is not None:
            return PoolChoice(
                chosen=self._only, basis=ChoiceBasis.ONLY, pools=len(self._pools), candidates=()
            )
        now = await self._ask_loads()
        readings = self._load.readings(family, at=now, known=self._pools)
        return choose_pool(readings, (random.random(), random.random()))

    async def _ask_loads(self) -> float:
        loop = asyncio.get_running_loop()
        async with self._asking:
            if loop.time() - self._asked_at >= POOL_EVERY_S:
                self._asked_at = loop.time()
                await asyncio.gather(*(self._ask_load(pool) for pool in self._pools))
        return loop.time()

    async def _ask_load(self, pool: str) -> None:
        subject = subjects.query(SCHEDULER, "load", pool)
        with suppress(NatsError, TimeoutError, msgspec.MsgspecError):
            reply = await self._nc.request(subject, _question, timeout=_LOAD_S)
            self._load.hear(_decoder.decode(reply.data), at=asyncio.get_running_loop().time())
