"""What a task of a conversation gets to read: chosen, stored and recorded."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, cast

from pointsman.context import telemetry
from pointsman.context.domain.choice import CANDIDATES, Candidate, Choice, choose
from pointsman.context.domain.context_pool import ContextPool, Remembered, Words
from pointsman.context.domain.conversation import Turn, is_text
from pointsman.context.domain.layout import block, payload
from pointsman.context.domain.relevance import cosine
from pointsman.context.domain.tasks import TaskFacts
from pointsman.context.ports import TaskLedger, Tokens
from pointsman.context.remembering.conversations import Conversations
from pointsman.context.remembering.embeddings import (
    FAMILY,
    Embeddings,
    NotMeasuredError,
    Subject,
)
from pointsman.context.remembering.texts import NoTextError, read_text
from pointsman.contracts.commands import PrepareTask
from pointsman.contracts.decided import Decided
from pointsman.contracts.events import ContextAssembled
from pointsman.contracts.message import BlobRef
from pointsman.contracts.streams import stream_id
from pointsman.contracts.topics import EventCodec
from pointsman.eventstore.journal import Journal
from pointsman.eventstore.ports import Appended, EventStore
from pointsman.runtime.blob_rows import BlobKind
from pointsman.runtime.blobs import Blobs
from pointsman.runtime.clock import Clock

ASSEMBLED: Final = "context.assembled.v1"


@dataclass(frozen=True, slots=True)
class _Input:
    text: str
    tokens: int


@dataclass(frozen=True, slots=True)
class _Relevance:
    """The embedding of the input, or why there is none."""

    embedding: bytes | None
    words: str


class Contexts:
    """Assembles contexts; for one task of a conversation at a time."""

    def __init__(  # noqa: PLR0913 - one parameter per part
        self,
        store: EventStore,
        codec: EventCodec,
        conversations: Conversations,
        embeddings: Embeddings,
        ledger: TaskLedger,
        pool: ContextPool,
        blobs: Blobs,
        tokens: Tokens,
        *,
        clock: Clock,
        budget_tokens: int,
    ) -> None:
        self._store = store
        self._codec = codec
        self._journal = Journal(store, codec)
        self._conversations = conversations
        self._embeddings = embeddings
        self._ledger = ledger
        self._pool = pool
        self._blobs = blobs
        self._tokens = tokens
        self._clock = clock
        self._budget_tokens = budget_tokens

    async def prepare(self, facts: TaskFacts) -> PrepareTask:
        """Choose, store, record; then say what the task runs on. Raises what the log raises."""
        try:
            text = await read_text(self._blobs, facts.tenant, facts.input)
        except NoTextError as error:
            return _alone(facts, f"the input gets no context: {error}")
        remembered = await self._conversations.find(facts.lane)
        if remembered is None or not remembered.conversation.turns:
            return _alone(facts, "it is the first turn of its conversation")
        task_input = _Input(text, self._tokens.count(text))
        event, choice = await self._assemble(facts, remembered, task_input)
        return await self._record(facts, event, choice)

    async def _assemble(
        self, facts: TaskFacts, remembered: Remembered, task_input: _Input
    ) -> tuple[ContextAssembled, Choice]:
        turns = remembered.conversation.turns
        version, latest = remembered.conversation.version, len(turns)
        numbers = range(max(1, latest - CANDIDATES + 1), latest + 1)
        budget = facts.context_tokens or self._budget_tokens
        room = budget - task_input.tokens
        relevance, (unusable, pooled) = await asyncio.gather(
            self._relevance(facts, room), self._load(facts, remembered, numbers)
        )
        words = remembered.words
        candidates = [
            self._candidate(number, words.get(number), unusable.get(number, ""), relevance)
            for number in numbers
        ]
        choice = choose(candidates, latest=latest, room=room)
        stored = await self._stored(facts, choice, words, task_input)
        self._pool.keep(facts.lane, remembered)
        self._count(pooled=pooled)
        self._embed_missing(facts, turns, words, relevance)
        event = ContextAssembled(
            at=self._clock.wall(),
            applied_to=self._ledger.position,
            task=str(facts.task),
            conversation=facts.conversation or "",
            conversation_version=version,
            budget_tokens=budget,
            tokens=choice.tokens + task_input.tokens,
            kept=choice.kept,
            dropped=choice.dropped,
            payload=stored,
            relevance=_measured(candidates, relevance),
            pooled=pooled,
            project=facts.project or "",
            older=numbers[0] - 1,
        )
        return event, choice

    async def _stored(
        self, facts: TaskFacts, choice: Choice, words: Mapping[int, Words], task_input: _Input
    ) -> BlobRef:
        if not choice.kept:
            return facts.input
        kept = (words[item.turn] for item in choice.kept)
        content = payload((block(each.input, each.result) for each in kept), task_input.text)
        return await self._blobs.put(
            facts.tenant, content, facts.input.media_type, BlobKind.PAYLOAD
        )

    async def _relevance(self, facts: TaskFacts, room: int) -> _Relevance:
        if room <= 0:
            return _Relevance(None, "the input fills the budget")
        try:
            return _Relevance(await self._embeddings.of_input(facts), FAMILY)
        except NotMeasuredError as error:
            return _Relevance(None, str(error))

    async def _load(
        self, facts: TaskFacts, remembered: Remembered, numbers: Sequence[int]
    ) -> tuple[Mapping[int, str], bool]:
        """Complete the words; gives why some cannot be, and whether all were there."""
        turns, words = remembered.conversation.turns, remembered.words
        unusable: dict[int, str] = {}
        pooled = True
        for number in numbers:
            turn = turns[number - 1]
            if number in words or not turn.is_text:
                if not turn.is_text:
                    unusable[number] = "it is not text alone"
                continue
            pooled = False
            try:
                asked = await read_text(self._blobs, facts.tenant, turn.input)
                answered = await read_text(self._blobs, facts.tenant, turn.result)
            except NoTextError as error:
                unusable[number] = str(error)
            else:
                words[number] = Words(asked, answered)
        bare = {turns[n - 1].task: n for n in numbers if n in words and not words[n].embedding}
        known = await self._embeddings.known(facts.tenant, list(bare))
        for task, embedding in known.items():
            words[bare[task]] = replace(words[bare[task]], embedding=embedding)
        return unusable, pooled

    def _candidate(
        self, number: int, words: Words | None, unusable: str, relevance: _Relevance
    ) -> Candidate:
        if words is None:
            return Candidate(number, 0, unusable=unusable or "its words are not there")
        measured = None
        if relevance.embedding is not None and words.embedding is not None:
            measured = cosine(relevance.embedding, words.embedding)
        tokens = self._tokens.count(block(words.input, words.result))
        return Candidate(number, tokens, measured, unusable)

    def _embed_missing(
        self,
        facts: TaskFacts,
        turns: Sequence[Turn],
        words: Mapping[int, Words],
        relevance: _Relevance,
    ) -> None:
        """Turns whose embedding was lost on the way; only while embeddings are answered at all."""
        if relevance.embedding is None:
            return
        for number, each in words.items():
            if each.embedding is None and is_text(turns[number - 1].input):
                turn = turns[number - 1]
                self._embeddings.make(Subject(facts.pool, facts.tenant, turn.task, turn.input))

    def _count(self, *, pooled: bool) -> None:
        self._pool.count(hit=pooled)
        telemetry.POOL_LOOKUPS.add(1, {"result": "hit" if pooled else "miss"})

    async def _record(
        self, facts: TaskFacts, event: ContextAssembled, choice: Choice
    ) -> PrepareTask:
        stream = stream_id("context", str(facts.task))
        # A task has one assembly: its stream's first version is what makes it happen once.
        answer = await self._journal.record(Decided(stream, 0, (event,), facts.tenant))
        if not isinstance(answer, Appended):
            first = (await self._store.read_stream(stream))[0]
            event = cast("ContextAssembled", self._codec.decode(first.type, bytes(first.data)))
            choice = Choice(event.kept, event.dropped)
        return PrepareTask(
            command_id=f"prepare:{facts.task}",
            task=facts.task,
            payload=event.payload if choice.kept else None,
            assembly=str(stream),
            kept=len(choice.kept),
            dropped=len(choice.dropped),
            tokens=event.tokens,
            note="" if choice.kept else "no earlier turn was kept, the assembly says why",
        )


def _measured(candidates: Sequence[Candidate], relevance: _Relevance) -> str:
    if relevance.embedding is not None and all(each.relevance is None for each in candidates):
        return "no earlier turn has an embedding that can be compared"
    return relevance.words


def _alone(facts: TaskFacts, note: str) -> PrepareTask:
    return PrepareTask(command_id=f"prepare:{facts.task}", task=facts.task, note=note)
