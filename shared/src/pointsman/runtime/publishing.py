"""Publishing with headers that are known to be good, without the client's check of each.

nats-py strips, matches, translates and encodes every header of every message, which takes longer
than everything else that is done for a published event.
"""

from collections.abc import Mapping
from typing import Any, Final

from nats.aio.client import Client
from nats.errors import ConnectionClosedError, ConnectionDrainingError, MaxPayloadError

_VERSION_LINE: Final = "NATS/1.0\r\n"


async def publish_as_is(
    nc: Client, subject: str, body: bytes, *, reply: str, headers: Mapping[str, str]
) -> None:
    """Publish as `Client.publish` does; names and values must hold no line break.

    Raises what that raises: `ConnectionClosedError`, `ConnectionDrainingError` and
    `MaxPayloadError`. While the server is away the client keeps what fits its buffer.
    """
    if nc.is_closed:
        raise ConnectionClosedError
    if nc.is_draining_pubs:
        raise ConnectionDrainingError
    if len(body) > nc.max_payload:
        raise MaxPayloadError
    lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
    block = f"{_VERSION_LINE}{lines}\r\n".encode()
    sizes = f"{len(block)} {len(block) + len(body)}"
    nc.stats["out_msgs"] += 1
    nc.stats["out_bytes"] += len(body)
    await _send(nc, f"HPUB {subject} {reply} {sizes}\r\n".encode() + block + body + b"\r\n")


async def _send(nc: Any, command: bytes) -> None:  # noqa: ANN401 - it does not show what is used
    await nc._send_command(command)  # noqa: SLF001 - as `publish` goes on
    if nc._flush_queue is not None and nc._flush_queue.empty():  # noqa: SLF001 - as above
        await nc._flush_pending()  # noqa: SLF001 - as above
