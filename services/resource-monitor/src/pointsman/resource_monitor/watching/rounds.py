"""Work that is repeated on a beat."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

LOOK_EVERY_S: Final = 1.0
"""How often is asked what has become due."""


async def every(period_s: float, work: Callable[[], Awaitable[None]]) -> None:
    """Do `work` once per period until cancelled; a round that takes longer skips beats."""
    loop = asyncio.get_running_loop()
    begun_at = loop.time()
    while True:
        await work()
        into_s = (loop.time() - begun_at) % period_s
        await asyncio.sleep(period_s - into_s)
