"""Canaries that somebody else asks for: one inference outside of all queues."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from pointsman.contracts.canaries import (
    MAX_CANARY_BYTES,
    CanaryAnswer,
    CanaryAnswered,
    CanaryFailed,
    RunCanary,
)
from pointsman.contracts.events import DeviceMode
from pointsman.contracts.events.attempt_ends import MODEL_NOT_FOUND
from pointsman.executor.holding.devices import Device
from pointsman.executor.ports import ENGINE_BUSY, Call, EngineError

MAX_TIMEOUT_S: Final = 10.0
"""Whoever asks for canaries must not hold an engine for longer."""


class Canaries:
    """Runs canaries on the devices of one executor, whether they serve or not."""

    def __init__(self, devices: Sequence[Device]) -> None:
        self._devices: Mapping[str, Device] = {device.name: device for device in devices}

    async def run(self, canary: RunCanary) -> CanaryAnswer:
        """The bytes that came, or why none did; judging them is the asker's part."""
        device = self._devices.get(canary.device)
        if device is None:
            return CanaryFailed(
                code="unknown_device", message=f"no device {canary.device!r} is held here"
            )
        if len(canary.payload) > MAX_CANARY_BYTES:
            return CanaryFailed(
                code="canary_too_large", message=f"at most {MAX_CANARY_BYTES} bytes are taken"
            )
        if device.mode is not DeviceMode.FIXED and not device.has(canary.variant):
            # Whoever decides what is loaded took it away: that says nothing about its health.
            message = f"{canary.variant} is not loaded at present"
            return CanaryFailed(code=MODEL_NOT_FOUND, message=message, busy=True)
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            output = await device.try_out(
                Call(
                    id="pointsman-canary",
                    variant=canary.variant,
                    payload=canary.payload,
                    media_type="application/octet-stream",
                    timeout_s=min(canary.timeout_s, MAX_TIMEOUT_S),
                )
            )
        except EngineError as error:
            # Gone since it was looked for: its engine was restarted, which the device notices.
            gone = error.code == MODEL_NOT_FOUND and device.mode is not DeviceMode.FIXED
            busy = error.code == ENGINE_BUSY or gone
            return CanaryFailed(code=error.code, message=str(error), busy=busy)
        return CanaryAnswered(output=output.data[:MAX_CANARY_BYTES], run_s=loop.time() - began)
