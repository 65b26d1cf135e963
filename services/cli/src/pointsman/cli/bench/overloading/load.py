"""Long texts to summarise, at a rate or as fast as they are done."""

import asyncio
import random
import time
from dataclasses import dataclass, field
from itertools import count
from typing import Final
from uuid import UUID, uuid4

from pointsman.cli.client import StackClient
from pointsman.cli.demo.texts import standard_library_texts
from pointsman.contracts import subjects
from pointsman.contracts.commands import (
    Accepted,
    Answer,
    NotLeader,
    Rejected,
    SubmitTask,
    decode_answers,
)
from pointsman.contracts.message import Degradation, PriorityClass
from pointsman.runtime.packing import PackedRequests

FAMILY: Final = "summarize"
TEXT_CHARS: Final = 64_000
"""So long that the variants differ by a factor of twenty, and a call far exceeds its overhead."""
DEADLINE_S: Final = 2.0

_TEXTS: Final = 200


@dataclass(slots=True)
class Sent:
    """What became of the submissions of one load."""

    accepted: dict[UUID, float] = field(default_factory=dict[UUID, float])
    """Task to deadline."""
    rejected: dict[str, int] = field(default_factory=dict[str, int])
    """Refusals by code."""

    @property
    def count(self) -> int:
        """All submissions."""
        return len(self.accepted) + sum(self.rejected.values())


class Load:
    """Submits long texts of one tenant; every text is another one, so that nothing is cached."""

    def __init__(
        self, client: StackClient, *, tenant: str, min_quality: float = 0.0, seed: int = 1
    ) -> None:
        self._tenant = tenant
        self._min_quality = min_quality
        self._random = random.Random(seed)
        self._run = uuid4().hex
        self._numbers = count(1)
        self._text = _long_text()
        self._requests: PackedRequests[SubmitTask, Answer] = PackedRequests(
            client.nc,
            subjects.command("scheduler", "submit", client.record.pool),
            decode_answers=decode_answers,
            is_not_leader=lambda answer: isinstance(answer, NotLeader),
        )

    async def stop(self) -> None:
        """Give up what waits for an answer."""
        await self._requests.stop()

    async def at_rate(
        self,
        per_s: float,
        seconds: float,
        *,
        degradation: Degradation = Degradation.SMALLER_MODEL,
        model: str | None = None,
        chars: int = TEXT_CHARS,
    ) -> Sent:
        """Open loop with exponential gaps: what is slow does not slow the senders down."""
        sent = Sent()
        began = time.monotonic()
        due = began
        async with asyncio.TaskGroup() as senders:
            while (due := due + self._random.expovariate(per_s)) < began + seconds:
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                senders.create_task(self._send(sent, degradation, model, chars))
        return sent

    async def submit(
        self, *, degradation: Degradation, model: str | None = None, chars: int = TEXT_CHARS
    ) -> Answer:
        """One text, due `DEADLINE_S` from now."""
        name = f"{self._run}-{next(self._numbers)}"
        return await self._requests.ask(
            SubmitTask(
                command_id=name,
                tenant=self._tenant,
                family=FAMILY,
                payload=f"Text {name}. {self._text[:chars]}".encode(),
                model=model,
                priority_class=PriorityClass.STANDARD,
                deadline=time.time() + DEADLINE_S,
                degradation=degradation,
                min_quality=self._min_quality,
            )
        )

    async def _send(
        self, sent: Sent, degradation: Degradation, model: str | None, chars: int
    ) -> None:
        deadline = time.time() + DEADLINE_S
        answer = await self.submit(degradation=degradation, model=model, chars=chars)
        if isinstance(answer, Accepted):
            sent.accepted[answer.task] = deadline
        elif isinstance(answer, Rejected):
            sent.rejected[answer.code] = sent.rejected.get(answer.code, 0) + 1


def _long_text() -> str:
    joined = " ".join(source.text for source in standard_library_texts(_TEXTS))
    return joined[:TEXT_CHARS]
