"""A stand-in for an engine: it runs no model and gives every payload back at once.

It exists to measure everything around the engine. Whatever it serves is labelled `noop`. With the
request parameter `pieces` it streams the payload in so many pieces, one each `piece_delay_ms`; with
`run_s` it waits so long first. Its loads do nothing but wait the delay that was declared for them.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from pointsman.contracts.events import Residency
from pointsman.contracts.events.attempt_ends import MODEL_NOT_FOUND
from pointsman.executor.ports import (
    LOAD_TIMEOUT,
    UNKNOWN_MODEL,
    Call,
    EngineDeadlineError,
    EngineError,
    OnPiece,
    Output,
    Placement,
)

MAX_BATCH: Final = 64
"""As the sample model that it stands in for."""
PIECES: Final = "pieces"
PIECE_DELAY_MS: Final = "piece_delay_ms"
RUN_S: Final = "run_s"
"""Request parameter: the declared run time of a call, in seconds."""

_NONE_DECLARED: Final[Mapping[str, float]] = MappingProxyType({})


class NoopEngine:
    """Serves the given variants with as many slots as its device has.

    With `loading` it has none of them at first, and loads them in the seconds of
    `declared_load_s`, at once where none are declared.
    """

    def __init__(
        self,
        variants: Sequence[str],
        slots: int,
        *,
        loading: bool = False,
        declared_load_s: Mapping[str, float] = _NONE_DECLARED,
    ) -> None:
        self.device_class = "noop"
        self._all = {
            name: Residency(variant=name, slots=slots, max_batch=MAX_BATCH) for name in variants
        }
        self._declared_load_s = declared_load_s
        self._loaded = dict[str, Residency]() if loading else dict(self._all)
        self.loadable = tuple(self._all.values()) if loading else ()

    @property
    def residency(self) -> tuple[Residency, ...]:
        return tuple(self._loaded.values())

    def heartbeat_s(self, variant: str) -> float:  # noqa: ARG002 - whatever it stands in for
        return 0.0

    async def open(self) -> None:
        """Ready at once."""

    async def refresh(self) -> None:
        """Knows what it has loaded."""

    async def load(self, variant: str, *, placement: Placement, timeout_s: float) -> None:  # noqa: ARG002 - it has no place
        if variant not in self._all:
            raise EngineError(
                UNKNOWN_MODEL, f"the stand-in was not told of {variant!r}", retryable=False
            )
        if variant in self._loaded:
            return
        try:
            async with asyncio.timeout(timeout_s):
                await asyncio.sleep(self._declared_load_s.get(variant, 0.0))
        except TimeoutError:
            message = "the declared load delay is longer than the load may take"
            raise EngineError(LOAD_TIMEOUT, message, retryable=True) from None
        self._loaded[variant] = self._all[variant]

    async def unload(self, variant: str, *, timeout_s: float) -> None:  # noqa: ARG002 - done at once
        self._loaded.pop(variant, None)

    async def infer(self, call: Call, on_piece: OnPiece | None = None) -> Output:
        if call.variant not in self._loaded:
            raise EngineError(MODEL_NOT_FOUND, f"{call.variant} is not loaded here", retryable=True)
        if call.parameters:
            await _take_declared_times(call, on_piece)
        return Output(data=call.payload, media_type=call.media_type, model_version="noop")

    async def infer_batch(self, calls: Sequence[Call]) -> Sequence[Output | EngineError]:
        return [await self.infer(call) for call in calls]

    async def canary(self) -> None:
        """Always well: nothing in it can break."""

    async def quiescent(self) -> bool:
        return True

    async def close(self) -> None:
        """Holds nothing."""


async def _take_declared_times(call: Call, on_piece: OnPiece | None) -> None:
    try:
        async with asyncio.timeout(call.timeout_s):
            await asyncio.sleep(_seconds(call, RUN_S))
            if PIECES in (call.parameters or {}):
                await _stream(call, on_piece)
    except TimeoutError:
        message = "the declared times are longer than the call may take"
        raise EngineDeadlineError(message) from None


async def _stream(call: Call, on_piece: OnPiece | None) -> None:
    count = _whole(call, PIECES, least=1)
    delay_s = _whole(call, PIECE_DELAY_MS, least=0) / 1000
    for piece in _cut(call.payload, count):
        await asyncio.sleep(delay_s)
        if on_piece is not None:
            on_piece(piece)


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


def _seconds(call: Call, name: str) -> float:
    text = (call.parameters or {}).get(name, "0")
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise EngineError("invalid_input", f"{name} must be seconds from 0 on", retryable=False)
    return seconds
