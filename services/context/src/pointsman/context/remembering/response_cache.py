"""Results that identical tasks of the same tenant may have again."""

import structlog

from pointsman.context import telemetry
from pointsman.context.domain.tasks import TaskFacts
from pointsman.context.ports import TaskLedger
from pointsman.contracts.decided import Decided
from pointsman.contracts.events import ResponseCached
from pointsman.contracts.message import BlobRef
from pointsman.contracts.streams import stream_id
from pointsman.contracts.topics import EventCodec
from pointsman.eventstore.journal import Journal
from pointsman.eventstore.ports import Appended, EventStore
from pointsman.runtime.blobs import BlobCorruptError, BlobMissingError, Blobs
from pointsman.runtime.clock import Clock

_log = structlog.get_logger(__name__)


class ResponseCache:
    """Exact matches only; what it knows is the fold of the log, up to what the ledger has seen."""

    def __init__(
        self,
        store: EventStore,
        codec: EventCodec,
        ledger: TaskLedger,
        blobs: Blobs,
        clock: Clock,
        *,
        ttl_s: float,
    ) -> None:
        self._journal = Journal(store, codec)
        self._ledger = ledger
        self._blobs = blobs
        self._clock = clock
        self._ttl_s = ttl_s
        self.hits = 0
        self.misses = 0

    async def find(self, facts: TaskFacts, payload: BlobRef) -> ResponseCached | None:
        """The result of an identical task that has not expired and can still be read."""
        found = await self._ledger.response(facts.key(payload))
        usable = (
            found is not None
            and self._clock.wall() < found.expires_at
            and await self._readable(facts.tenant, found.result)
        )
        if usable:
            self.hits += 1
        else:
            self.misses += 1
        telemetry.RESPONSE_LOOKUPS.add(1, {"result": "hit" if usable else "miss"})
        return found if usable else None

    async def store(self, facts: TaskFacts) -> bool:
        """Record the result of a completed task; false if that has been done before.

        Raises `LogUnavailableError`: to be repeated.
        """
        if facts.result is None:
            return False
        event = ResponseCached(
            at=self._clock.wall(),
            applied_to=self._ledger.position,
            key=facts.key(facts.prepared or facts.input),
            task=str(facts.task),
            variant=facts.variant,
            result=facts.result,
            expires_at=facts.completed_at + self._ttl_s,
        )
        # A task has one response: its stream's first version is what makes it happen once.
        stream = stream_id("response", str(facts.task), facts.tenant)
        answer = await self._journal.record(Decided(stream, 0, (event,), facts.tenant))
        return isinstance(answer, Appended)

    async def _readable(self, tenant: str, result: BlobRef) -> bool:
        try:
            await self._blobs.get(tenant, result)
        except (BlobMissingError, BlobCorruptError) as error:
            _log.info("cached_response_unreadable", code=error.code, reason=str(error))
            return False
        return True
