"""A stand-in for an engine: it runs no model and gives every payload back at once.

It exists to measure everything around the engine. Whatever it serves is labelled `noop`.
"""

from collections.abc import Sequence
from typing import Final

from pointsman.contracts.events import Residency
from pointsman.executor.ports import Call, Output

SCHEME: Final = "noop:"


class NoopEngine:
    """Serves the given variants with as many slots as its device has."""

    def __init__(self, variants: Sequence[str], slots: int) -> None:
        self.device_class = "noop"
        self.residency = tuple(Residency(variant=name, slots=slots) for name in variants)

    async def open(self) -> None:
        """Ready at once."""

    async def infer(self, call: Call) -> Output:
        return Output(data=call.payload, media_type=call.media_type, model_version="noop")

    async def canary(self) -> None:
        """Always well: nothing in it can break."""

    async def quiescent(self) -> bool:
        return True

    async def close(self) -> None:
        """Holds nothing."""
