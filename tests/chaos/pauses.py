"""Time that has to pass in a run, and that a waiting cancellation ends at once."""

import asyncio


async def pause(seconds: float) -> None:
    """Let everything else go on for so long."""
    over: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_later(max(0.0, seconds), _end, over)
    await over


def _end(over: "asyncio.Future[None]") -> None:
    if not over.done():
        over.set_result(None)
