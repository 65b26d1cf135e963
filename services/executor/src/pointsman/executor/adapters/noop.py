"""A stand-in for an engine: it runs no model and gives every payload back at once.

It exists to measure everything around the engine. Whatever it serves is labelled `noop`. With the
request parameter `pieces` it streams the payload in so many pieces, one each `piece_delay_ms`.
"""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Final

from pointsman.contracts.events import Residency
from pointsman.executor.ports import (
    Call,
    EngineDeadlineError,
    EngineError,
    OnPiece,
    Output,
)

SCHEME: Final = "noop:"
MAX_BATCH: Final = 64
"""As the sample model that it stands in for."""
PIECES: Final = "pieces"
PIECE_DELAY_MS: Final = "piece_delay_ms"


class NoopEngine:
    """Serves the given variants with as many slots as its device has."""

    def __init__(self, variants: Sequence[str], slots: int) -> None:
        self.device_class = "noop"
        self.residency = tuple(
            Residency(variant=name, slots=slots, max_batch=MAX_BATCH) for name in variants
        )

    async def open(self) -> None:
        """Ready at once."""

    async def infer(self, call: Call, on_piece: OnPiece | None = None) -> Output:
        if call.parameters and PIECES in call.parameters:
            await _stream(call, on_piece)
        return Output(data=call.payload, media_type=call.media_type, model_version="noop")

    async def infer_batch(self, calls: Sequence[Call]) -> Sequence[Output | EngineError]:
        return [await self.infer(call) for call in calls]

    async def canary(self) -> None:
        """Always well: nothing in it can break."""

    async def quiescent(self) -> bool:
        return True

    async def close(self) -> None:
        """Holds nothing."""


async def _stream(call: Call, on_piece: OnPiece | None) -> None:
    count = _whole(call, PIECES, least=1)
    delay_s = _whole(call, PIECE_DELAY_MS, least=0) / 1000
    try:
        async with asyncio.timeout(call.timeout_s):
            for piece in _cut(call.payload, count):
                await asyncio.sleep(delay_s)
                if on_piece is not None:
                    on_piece(piece)
    except TimeoutError:
        raise EngineDeadlineError("the pieces took longer than the call may") from None


def _cut(payload: bytes, count: int) -> Iterator[bytes]:
    size = max(1, -(-len(payload) // count))
    return (payload[start : start + size] for start in range(0, len(payload), size))


def _whole(call: Call, name: str, *, least: int) -> int:
    text = (call.parameters or {}).get(name, "0")
    if not text.isdecimal() or int(text) < least:
        raise EngineError(
            "invalid_input", f"{name} must be a whole number from {least} on", retryable=False
        )
    return int(text)
