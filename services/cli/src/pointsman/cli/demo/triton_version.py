"""Which Triton served a demo."""

import asyncio
from typing import Any, cast

from pointsman.cli.stack.record import StackRecord

_TIMEOUT_S = 5.0


async def version_of(record: StackRecord) -> str | None:
    """The version of the stack's Triton; an attached one is asked. None: there is none."""
    if record.triton_version is not None:
        return record.triton_version
    attached = [device for device in record.devices if device.kind == "attached"]
    if not attached:
        return None
    return await asyncio.to_thread(_ask, attached[0].endpoint.removeprefix("grpc://"))


def _ask(address: str) -> str | None:
    # Only an attached server needs this, and importing it takes a quarter of a second.
    from tritonclient.grpc import InferenceServerClient  # noqa: PLC0415 - see above
    from tritonclient.utils import InferenceServerException  # noqa: PLC0415 - see above

    client = InferenceServerClient(address)
    try:
        answer = cast("Any", client.get_server_metadata(client_timeout=_TIMEOUT_S))
        return str(answer.version)
    except InferenceServerException:
        return None
    finally:
        client.close()
