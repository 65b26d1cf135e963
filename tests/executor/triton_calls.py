"""Calls to a real Triton, as the tests of its adapter make them."""

from pointsman.executor.adapters.triton import TritonEngine
from pointsman.executor.ports import Call
from pointsman.runtime.servers import LocalTriton


def call(variant: str, payload: bytes, *, timeout_s: float = 30.0, **parameters: str) -> Call:
    return Call(
        id="0190f0f0-0000-7000-8000-000000000001",
        variant=variant,
        payload=payload,
        media_type="text/plain",
        timeout_s=timeout_s,
        parameters=parameters,
    )


async def opened(server: LocalTriton) -> TritonEngine:
    engine = TritonEngine(f"grpc://{server.grpc_address}", canary_timeout_s=0.5)
    await engine.open()
    return engine
