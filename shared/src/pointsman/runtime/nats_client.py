"""The library's client with a `flush` that can be relied on."""

from typing import Any

from nats.aio.client import DEFAULT_FLUSH_TIMEOUT, Client


class NatsClient(Client):
    """Whatever was sent before a `flush` has reached the server when that returns."""

    async def flush(self, timeout: int = DEFAULT_FLUSH_TIMEOUT) -> None:  # noqa: ASYNC109 - the library's
        """Return when the server has seen everything that was sent before."""
        # The library writes its PING past what still waits to be written, so that the first answer
        # proves nothing; by then all of it is written, and the second one follows it.
        await super().flush(timeout)
        await super().flush(timeout)


async def nats_client(url: str, **options: Any) -> NatsClient:  # noqa: ANN401 - the library's
    """Connect as a sender or a watcher that is no service does: it neither waits nor judges errors.

    Takes the options of nats-py's `connect` and raises what that raises. Services use `connection`.
    """
    nc = NatsClient()
    await nc.connect(url, **options)
    return nc
