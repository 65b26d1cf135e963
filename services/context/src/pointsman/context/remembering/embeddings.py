"""Embeddings of inputs, made by tasks of the `embed` family."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import structlog

from pointsman.context.domain.conversation import is_text
from pointsman.context.domain.tasks import SOURCE, TaskFacts
from pointsman.context.ports import Embedding, Scheduler, SchedulerSilentError, TaskLedger
from pointsman.context.remembering.texts import NoTextError, read_text
from pointsman.contracts.commands import Rejected, SubmitTask
from pointsman.contracts.message import BlobRef, Degradation, PriorityClass
from pointsman.runtime.blobs import (
    BlobCorruptError,
    BlobMissingError,
    Blobs,
    BlobsUnavailableError,
)
from pointsman.runtime.clock import Clock

FAMILY: Final = "embed"
ANSWER_S: Final = 0.5
"""A task that waits for its context waits no longer for relevance."""

_DEADLINE_S: Final = 1.0
# Nobody waits for the embedding of a turn, unless the conversation goes on at once.
_TURN_DEADLINE_S: Final = 30.0
_UNDER_WAY: Final = 64

_log = structlog.get_logger(__name__)


class NotMeasuredError(Exception):
    """There is no embedding of an input, for the reason that the message tells."""

    code = "not_measured"


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose input is embedded, and by which pool."""

    pool: str
    tenant: str
    task: UUID
    input: BlobRef


class Embeddings:
    """Asks for embeddings and finds those that were made.

    Their tasks belong to no conversation and ask for no cache, so nothing is prepared for them.
    """

    def __init__(
        self, scheduler: Scheduler, ledger: TaskLedger, blobs: Blobs, clock: Clock
    ) -> None:
        self._scheduler = scheduler
        self._ledger = ledger
        self._blobs = blobs
        self._clock = clock
        self._awaited: dict[tuple[str, UUID], asyncio.Future[Embedding]] = {}
        self._under_way: set[asyncio.Task[None]] = set()

    async def of_input(self, facts: TaskFacts) -> bytes:
        """Embed the input of a waiting task; raises `NotMeasuredError` after `ANSWER_S` at most."""
        key = (facts.tenant, facts.task)
        answer: asyncio.Future[Embedding] = asyncio.get_running_loop().create_future()
        self._awaited[key] = answer
        try:
            async with asyncio.timeout(ANSWER_S):
                subject = Subject(facts.pool, facts.tenant, facts.task, facts.input)
                await self._submit(subject, "input", PriorityClass.INTERACTIVE, _DEADLINE_S)
                # It may have been made in an earlier life of this service.
                await self.notice()
                embedding = await answer
        except TimeoutError:
            raise NotMeasuredError(f"{FAMILY} did not answer within {ANSWER_S:g} s") from None
        finally:
            del self._awaited[key]
        if embedding.result is None:
            raise NotMeasuredError(f"the {FAMILY} task has ended as {embedding.failed}")
        return await self._read(facts.tenant, embedding.result)

    async def known(self, tenant: str, tasks: Sequence[UUID]) -> Mapping[UUID, bytes]:
        """Embeddings that have been made for tasks; those that cannot be read are left out."""
        found: dict[UUID, bytes] = {}
        if not tasks:
            return found
        for task, embedding in (await self._ledger.embeddings(tenant, tasks)).items():
            if embedding.result is not None:
                try:
                    found[task] = await self._read(tenant, embedding.result)
                except NotMeasuredError as error:
                    _log.info("embedding_unreadable", task=str(task), reason=str(error))
        return found

    async def notice(self) -> None:
        """Tell those who wait what the ledger has learnt."""
        tenants: dict[str, list[UUID]] = {}
        for tenant, task in self._awaited:
            tenants.setdefault(tenant, []).append(task)
        for tenant, tasks in tenants.items():
            for task, embedding in (await self._ledger.embeddings(tenant, tasks)).items():
                answer = self._awaited.get((tenant, task))
                if answer is not None and embedding.ended and not answer.done():
                    answer.set_result(embedding)

    def make(self, subject: Subject) -> None:
        """Have the input of a turn, if it is a text, embedded in the background, unless it was."""
        if not is_text(subject.input) or len(self._under_way) >= _UNDER_WAY:
            return
        task = asyncio.get_running_loop().create_task(self._make(subject), name="embed a turn")
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def stop(self) -> None:
        """Give up on what is under way."""
        under_way = list(self._under_way)
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)

    async def _make(self, subject: Subject) -> None:
        known = await self._ledger.embeddings(subject.tenant, [subject.task])
        if subject.task in known and known[subject.task].result is not None:
            return
        try:
            # A media type is a promise of the sender: bytes under it would only fail as a task.
            await read_text(self._blobs, subject.tenant, subject.input)
            await self._submit(subject, "turn", PriorityClass.STANDARD, _TURN_DEADLINE_S)
        except (NoTextError, BlobsUnavailableError, NotMeasuredError) as error:
            _log.info("turn_not_embedded", task=str(subject.task), reason=str(error))

    async def _submit(
        self, subject: Subject, purpose: str, urgency: PriorityClass, deadline_s: float
    ) -> None:
        task = SubmitTask(
            command_id=f"embed-{purpose}:{subject.task}",
            tenant=subject.tenant,
            family=FAMILY,
            payload_ref=subject.input,
            priority_class=urgency,
            deadline=self._clock.wall() + deadline_s,
            degradation=Degradation.NONE,
            source=SOURCE,
            causation_id=str(subject.task),
        )
        try:
            answer = await self._scheduler.submit(subject.pool, task)
        except SchedulerSilentError as error:
            raise NotMeasuredError(str(error)) from error
        if isinstance(answer, Rejected):
            if answer.code == "unknown_family":
                raise NotMeasuredError(f"no variant of {FAMILY} is registered")
            raise NotMeasuredError(f"the {FAMILY} task was refused: {answer.message}")

    async def _read(self, tenant: str, result: BlobRef) -> bytes:
        try:
            return await self._blobs.get(tenant, result)
        except (BlobMissingError, BlobCorruptError, BlobsUnavailableError) as error:
            raise NotMeasuredError(f"the embedding cannot be read ({error.code})") from error
