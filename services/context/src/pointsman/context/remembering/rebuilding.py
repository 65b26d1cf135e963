"""A recorded context again, from the log and the blobs alone."""

from typing import cast
from uuid import UUID

import msgspec

from pointsman.context.domain.conversation import Conversation, Turn, conversation_id
from pointsman.context.domain.layout import rebuilt, references
from pointsman.context.remembering.texts import read_text
from pointsman.contracts.context import Assembly
from pointsman.contracts.events import ContextAssembled, TaskAccepted
from pointsman.contracts.streams import stream_id
from pointsman.contracts.topics import EventCodec
from pointsman.eventstore.aggregates import AggregateTopics
from pointsman.eventstore.ports import LogReader
from pointsman.runtime.blobs import Blobs


class Rebuilding:
    """Finds assemblies and builds their payloads again; the tenant is the one in the log."""

    def __init__(
        self, log: LogReader, codec: EventCodec, topics: AggregateTopics, blobs: Blobs
    ) -> None:
        self._log = log
        self._codec = codec
        self._topics = topics
        self._blobs = blobs

    async def find(self, task: UUID) -> Assembly | None:
        """Without its text; None: nothing was assembled for the task."""
        stream = stream_id("context", str(task))
        events = await self._log.read_stream(stream)
        if not events:
            return None
        first = events[0]
        assembled = cast("ContextAssembled", self._codec.decode(first.type, bytes(first.data)))
        return Assembly(
            task=task,
            stream=stream,
            position=first.position,
            tenant=first.tenant,
            assembled=assembled,
        )

    async def payload(self, assembly: Assembly) -> bytes:
        """The bytes whose digest the event has. Raises `NoTextError` if words are gone."""
        assembled, tenant = assembly.assembled, assembly.tenant
        stream = conversation_id(tenant, assembled.project, assembled.conversation)
        conversation: Conversation | None = None
        for recorded in (await self._log.read_stream(stream))[: assembled.conversation_version]:
            conversation = self._topics.event(recorded).mutate(conversation)
        turns: list[Turn] = conversation.turns if conversation is not None else []
        (accepted,) = (await self._log.read_stream(assembly.task))[:1]
        task_input = msgspec.json.decode(bytes(accepted.data), type=TaskAccepted).payload
        texts = {
            ref.digest: await read_text(self._blobs, tenant, ref)
            for ref in references(assembled, turns, task_input)
        }
        return rebuilt(assembled, turns, task_input, lambda ref: texts[ref.digest])
