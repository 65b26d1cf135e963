"""Where attempts stand: what an earlier one has left, and what the running one hands back."""

import asyncio
from dataclasses import dataclass
from typing import Final

import structlog

from pointsman.contracts.endurance import CHECKPOINT_EVERY_S, CheckpointReport
from pointsman.contracts.leases import Grant
from pointsman.executor.ports import Identity, Leader
from pointsman.runtime.blob_rows import BlobKind
from pointsman.runtime.blobs import BlobCorruptError, BlobMissingError, Blobs, BlobsUnavailableError

LAST_WITHIN_S: Final = 2.5
"""How long the end of an attempt may wait for its last checkpoint to be recorded."""

_MEDIA_TYPE: Final = "application/octet-stream"

_log = structlog.get_logger(__name__)


async def earlier_checkpoint(blobs: Blobs, grant: Grant) -> bytes | None:
    """Where an earlier attempt stood; one that is gone costs the work, not the task.

    Raises `BlobsUnavailableError`.
    """
    if grant.checkpoint is None:
        return None
    try:
        return await blobs.get(grant.tenant, grant.checkpoint)
    except (BlobMissingError, BlobCorruptError) as error:
        _log.warning(
            "checkpoint_lost", task=str(grant.task), attempt=grant.attempt, reason=str(error)
        )
        return None


@dataclass(frozen=True, slots=True)
class _Standing:
    sequence: int
    data: bytes
    progress: float | None


class Checkpoints:
    """Those of one running attempt: the newest is stored and told, at most one each `every_s`."""

    def __init__(
        self,
        identity: Identity,
        grant: Grant,
        *,
        blobs: Blobs,
        leader: Leader,
        every_s: float = CHECKPOINT_EVERY_S,
    ) -> None:
        self._identity = identity
        self._grant = grant
        self._blobs = blobs
        self._leader = leader
        self._every_s = every_s
        self._sequence = 0
        self._newest: _Standing | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._told = asyncio.Event()
        self._told.set()

    def take(self, data: bytes, progress: float | None) -> None:
        """The model has handed back where it stands."""
        self._sequence += 1
        self._newest = _Standing(self._sequence, data, progress)
        self._told.clear()
        if self._keeping is None or self._keeping.done():
            self._keeping = asyncio.get_running_loop().create_task(self._keep())

    async def end(self) -> None:
        """The attempt has ended without a result: return when the leader knows the newest one.

        After `LAST_WITHIN_S` the next attempt goes on from the one before.
        """
        try:
            async with asyncio.timeout(LAST_WITHIN_S):
                await self._told.wait()
        except TimeoutError:
            _log.warning("checkpoint_not_recorded", task=str(self._grant.task))
        self.close()

    def close(self) -> None:
        """Nothing more is told; the leader forgets them with the end of the task."""
        if self._keeping is not None:
            self._keeping.cancel()

    async def _keep(self) -> None:
        while (standing := self._newest) is not None:
            self._newest = None
            await self._tell(standing)
            if self._newest is None:
                self._told.set()
            await asyncio.sleep(self._every_s)

    async def _tell(self, standing: _Standing) -> None:
        grant = self._grant
        try:
            stored = await self._blobs.put(
                grant.tenant, standing.data, _MEDIA_TYPE, BlobKind.CHECKPOINT
            )
        except BlobsUnavailableError as error:
            # The next one comes soon, and says more.
            _log.warning("checkpoint_not_stored", task=str(grant.task), reason=str(error))
            return
        await self._leader.checkpoint(
            CheckpointReport(
                executor=self._identity.executor,
                incarnation=self._identity.incarnation,
                device=grant.device,
                task=grant.task,
                attempt=grant.attempt,
                sequence=standing.sequence,
                checkpoint=stored,
                progress=standing.progress,
            )
        )
