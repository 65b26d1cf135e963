"""Calls whose answer comes in pieces, over one `ModelStreamInfer` each."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from typing import Any, Final

import grpc.aio

from pointsman.executor.adapters.kserve_stream import StreamedAnswer, asking_for_the_end
from pointsman.executor.ports import EngineError, OnPiece, Output, Piece

Metadata = tuple[tuple[str, str], ...]

_ASKING_FOR_THE_END: Final = asking_for_the_end()
_END_WITHIN_S: Final = 0.5


class StreamedCalls:
    """Over the method `ModelStreamInfer` of a channel, which passes bytes through.

    Its methods raise what the call raises, and `EngineError` for what an answer is not. Whoever
    takes no more pieces, or is cancelled, stops the model.
    """

    def __init__(self, method: Any) -> None:  # noqa: ANN401 - grpc.aio's own type is private
        self._method = method

    async def whole(
        self,
        request: bytes,
        timeout_s: float,
        metadata: Metadata | None = None,
        on_piece: OnPiece | None = None,
    ) -> Output:
        """All pieces put together."""
        answer = StreamedAnswer()
        async with aclosing(self._pieces(request, answer, timeout_s, metadata)) as pieces:
            async for piece in pieces:
                if on_piece is not None:
                    on_piece(piece)
        return answer.whole()

    async def first(self, request: bytes, timeout_s: float) -> Output:
        """The first piece or sign: somebody is free, and the others could take any time."""
        async with aclosing(self._pieces(request, StreamedAnswer(), timeout_s)) as pieces:
            async for piece in pieces:
                return Output(data=piece if isinstance(piece, bytes) else b"")
        return Output(data=b"")

    async def _pieces(
        self,
        request: bytes,
        answer: StreamedAnswer,
        timeout_s: float,
        metadata: Metadata | None = None,
    ) -> AsyncGenerator[Piece]:
        stream = self._method(timeout=timeout_s, metadata=metadata)
        try:
            await stream.write(_ASKING_FOR_THE_END + request)
            await stream.done_writing()
            async for body in stream:
                for piece in answer.take(body):
                    yield piece
        except (EngineError, GeneratorExit):
            await _let_it_end(stream)
            raise
        finally:
            stream.cancel()


async def _let_it_end(stream: Any) -> None:  # noqa: ANN401 - grpc.aio's own type is private
    # A Triton that is about to send the next answer, mostly the one that ends the stream, can die
    # of a cancellation in that very moment (seen with 2.51: double free).
    with suppress(TimeoutError, grpc.aio.AioRpcError):
        async with asyncio.timeout(_END_WITHIN_S):
            async for _ in stream:
                pass
