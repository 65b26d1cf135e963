"""A blocking call that may hang for ever."""

import asyncio
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class DaemonCall(Generic[T]):
    """Runs `work` in a daemon thread, one call at a time.

    A call that hangs keeps neither the event loop nor the end of the process waiting, and no
    second one is begun beside it.
    """

    def __init__(self, work: Callable[[], T], name: str) -> None:
        self._work = work
        self._name = name
        self._running: asyncio.Future[T] | None = None

    async def __call__(self, timeout_s: float) -> T | None:
        """None: not done within the time; the call goes on."""
        if self._running is None:
            self._running = self._begin()
        done, _ = await asyncio.wait({self._running}, timeout=timeout_s)
        if not done:
            return None
        finished, self._running = self._running, None
        return finished.result()

    def _begin(self) -> asyncio.Future[T]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()

        def settle(result: T | None, error: BaseException | None) -> None:
            if future.cancelled():
                return
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(result)  # pyright: ignore[reportArgumentType] - set with no error

        def run() -> None:
            result, error = None, None
            try:
                result = self._work()
            except Exception as raised:  # noqa: BLE001 - handed to whoever waits
                error = raised
            if not loop.is_closed():
                loop.call_soon_threadsafe(settle, result, error)

        threading.Thread(target=run, name=self._name, daemon=True).start()
        return future
