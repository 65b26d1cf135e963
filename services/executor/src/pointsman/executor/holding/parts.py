"""Cutting an input into parts, and merging what came of them; no device is involved."""

import asyncio
from collections.abc import Callable
from typing import Final, TypeVar

from pointsman.contracts.leases import Grant, RunCompleted, RunSplit
from pointsman.contracts.message import BlobRef
from pointsman.contracts.parts import MergeWork, PartResult, SplitWork
from pointsman.executor.ports import EngineDeadlineError, EngineError
from pointsman.policy.chunking import NOT_DIVISIBLE, NotDivisibleError, cut
from pointsman.policy.merging import Merged, NotMergeableError, Piece, merged
from pointsman.runtime.blob_rows import BlobKind
from pointsman.runtime.blobs import Blobs

_INLINE_BYTES: Final = 64 * 1024
"""Below this, the work takes less than the hop to a thread and back."""

_ResultT = TypeVar("_ResultT")


def is_parts_work(grant: Grant) -> bool:
    """Whether a grant needs no device."""
    return grant.split is not None or grant.merge is not None


class PartsDesk:
    """Reads contents, cuts or merges them, and stores what comes of it."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs

    async def work(self, grant: Grant) -> RunSplit | RunCompleted:
        """Raises `EngineError` and what the blob store raises.

        Contents are stored by what they are, so that doing it again stores nothing new.
        """
        try:
            async with asyncio.timeout(grant.run_timeout_s):
                if grant.split is not None:
                    return RunSplit(parts=await self._split(grant, grant.split))
                if grant.merge is not None:
                    return RunCompleted(result=await self._merge(grant, grant.merge), run_s=0.0)
        except TimeoutError:
            message = f"not done within {grant.run_timeout_s:g} s"
            raise EngineDeadlineError(message) from None
        except (NotDivisibleError, NotMergeableError) as error:
            raise EngineError(error.code, str(error), retryable=False) from error
        raise EngineError("unknown_work", "neither to split nor to merge", retryable=False)

    async def _split(self, grant: Grant, work: SplitWork) -> tuple[BlobRef, ...]:
        media_type = grant.payload.media_type
        data = await self._blobs.get(grant.tenant, grant.payload)
        parts = await _off_loop(
            len(data), lambda: cut(data, max_bytes=work.max_bytes, media_type=media_type)
        )
        # No model can do anything with white space alone, and nothing is lost with it.
        parts = [part for part in parts if part.strip()]
        if not parts:
            raise NotDivisibleError(NOT_DIVISIBLE, "there is nothing but white space")
        return tuple(
            [
                await self._blobs.put(grant.tenant, part, media_type, BlobKind.PAYLOAD)
                for part in parts
            ]
        )

    async def _merge(self, grant: Grant, work: MergeWork) -> BlobRef:
        pieces = [
            await self._piece(grant.tenant, number, part)
            for number, part in enumerate(work.parts, start=1)
        ]
        size = sum(len(piece.data or b"") for piece in pieces)
        whole: Merged = await _off_loop(size, lambda: merged(work.rule, pieces))
        kind = BlobKind.KEPT if grant.keep_result else BlobKind.RESULT
        return await self._blobs.put(grant.tenant, whole.data, whole.media_type, kind)

    async def _piece(self, tenant: str, number: int, part: PartResult) -> Piece:
        if part.result is None:
            return Piece(number, part.size, code=part.code)
        data = await self._blobs.get(tenant, part.result)
        return Piece(number, part.size, data, part.result.media_type)


async def _off_loop(size: int, work: Callable[[], _ResultT]) -> _ResultT:
    if size <= _INLINE_BYTES:
        return work()
    return await asyncio.to_thread(work)
