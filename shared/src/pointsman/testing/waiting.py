"""Waiting for something that another task, thread or process is about to do."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import Final

PATIENCE_S: Final = 20.0
"""How long something that must come is waited for; a machine that others use stalls for seconds."""
_POLL_S: Final = 0.01


async def wait_until(
    condition: Callable[[], bool | Awaitable[bool]],
    *,
    timeout_s: float = PATIENCE_S,
    message: str = "",
) -> None:
    """Return as soon as ``condition`` holds; it is asked every 10 ms, at least once.

    Raises:
        AssertionError: it did not hold within ``timeout_s``; carries ``message``.
    """
    until = time.monotonic() + timeout_s
    while not await _holds(condition):
        if time.monotonic() >= until:
            raise AssertionError(f"not within {timeout_s:g} s: {message or condition!r}")
        await asyncio.sleep(_POLL_S)


async def _holds(condition: Callable[[], bool | Awaitable[bool]]) -> bool:
    answer = condition()
    return await answer if isawaitable(answer) else answer
