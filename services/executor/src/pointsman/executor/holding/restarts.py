"""Engines that come back without what they had loaded, noticed before anything is blamed for it."""

import asyncio
import contextlib
from collections.abc import Generator

from pointsman.contracts.events import DeviceMode
from pointsman.contracts.events.attempt_ends import MODEL_NOT_FOUND
from pointsman.executor.ports import Engine, EngineError


@contextlib.contextmanager
def restarts_noticed(mode: DeviceMode) -> Generator[None]:
    """A call for what is loaded finds it gone: then the device is lost, and the call with it.

    Where the leader loads, nobody else unloads a model, and none that has calls in flight.
    """
    try:
        yield
    except EngineError as error:
        if error.code != MODEL_NOT_FOUND or mode is DeviceMode.FIXED:
            raise
        message = f"{error}; it was loaded, so its engine was restarted"
        raise EngineError(error.code, message, retryable=True, device_lost=True) from error


async def what_is_gone(engine: Engine, changes: asyncio.Lock) -> str:
    """Names of what was loaded at the last look and is no more; raises `EngineError`.

    Holds `changes`, so that nothing is loaded or unloaded meanwhile.
    """
    async with changes:
        before = {each.variant for each in engine.residency}
        await engine.refresh()
    return ", ".join(sorted(before - {each.variant for each in engine.residency}))
