"""Calls that promise signs of life, and are given up when none comes."""

import asyncio
import math

from pointsman.contracts.endurance import HEARTBEAT_PARAMETER
from pointsman.executor.ports import (
    Call,
    Engine,
    EngineError,
    EngineSilentError,
    OnPiece,
    Output,
    Piece,
)


async def infer_alive(engine: Engine, call: Call, on_piece: OnPiece | None = None) -> Output:
    """Run a call; raises `EngineError`, `EngineSilentError` when no sign of life came in time.

    Every piece is one. How soon one has to come is the caller's wish, or else what the variant
    promises; whoever asks for it of a model that sends no pieces limits the whole run.
    """
    heartbeat_s = _wished_s(call) or engine.heartbeat_s(call.variant)
    if not heartbeat_s:
        return await engine.infer(call, on_piece)
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(heartbeat_s) as patience:

            def heard(piece: Piece) -> None:
                if not patience.expired():
                    patience.reschedule(loop.time() + heartbeat_s)
                if on_piece is not None:
                    on_piece(piece)

            return await engine.infer(call, heard)
    except TimeoutError:
        raise EngineSilentError(heartbeat_s) from None


def _wished_s(call: Call) -> float:
    text = (call.parameters or {}).get(HEARTBEAT_PARAMETER)
    if text is None:
        return 0.0
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise EngineError(
            "invalid_input",
            f"{HEARTBEAT_PARAMETER} must be seconds above 0, not {text!r}",
            retryable=False,
        )
    return seconds
