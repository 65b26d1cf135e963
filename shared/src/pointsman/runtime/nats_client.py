"""The library's client without two of its traps."""

from typing import Any

from nats.aio.client import DEFAULT_FLUSH_TIMEOUT, Client
from nats.aio.msg import Msg

from pointsman.runtime.cancellation import heeded_cancellation


class NatsClient(Client):
    """Whatever was sent before a `flush` has reached the server when that returns.

    Who is cancelled while an answer comes is cancelled.
    """

    async def flush(self, timeout: int = DEFAULT_FLUSH_TIMEOUT) -> None:  # noqa: ASYNC109 - the library's
        """Return when the server has seen everything that was sent before."""
        # The library writes its PING past what still waits to be written, so that the first answer
        # proves nothing; by then all of it is written, and the second one follows it.
        with heeded_cancellation():
            await super().flush(timeout)
            await super().flush(timeout)

    async def request(
        self,
        subject: str,
        payload: bytes = b"",
        timeout: float = 0.5,  # noqa: ASYNC109 - the library's
        old_style: bool = False,  # noqa: FBT001, FBT002 - the library's
        headers: dict[str, Any] | None = None,
    ) -> Msg:
        """Send a message and return the first answer; raises what the library raises."""
        with heeded_cancellation():
            return await super().request(subject, payload, timeout, old_style, headers)


async def nats_client(url: str, **options: Any) -> NatsClient:  # noqa: ANN401 - the library's
    """Connect as a sender or a watcher that is no service does: it neither waits nor judges errors.

    Takes the options of nats-py's `connect` and raises what that raises. Services use `connection`.
    """
    nc = NatsClient()
    await nc.connect(url, **options)
    return nc
