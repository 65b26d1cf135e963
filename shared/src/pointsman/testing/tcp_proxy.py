"""A link between a client and a server that a test can cut, slow down or make forget answers."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from enum import Enum
from typing import Final

_CHUNK: Final = 65536


class Way(Enum):
    """Which way bytes go."""

    TO_SERVER = "to server"
    TO_CLIENT = "to client"


class Cut(Exception):  # noqa: N818 - what a hook says, not what went wrong
    """Raised by a hook to cut the connection without passing the bytes on."""


Hook = Callable[["Link", Way, bytes], bytes]
"""Sees what comes from one side and gives what the other side gets; may raise `Cut`."""


@dataclass(eq=False, slots=True)
class Link:
    """One connection through the proxy; `unread` belongs to the hook, for what is not whole yet."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    unread: bytes = b""

    def cut(self) -> None:
        """Both sides get a reset."""
        self.client.transport.abort()
        self.server.transport.abort()


class TcpProxy:
    """Listens on `port` of loopback and connects each client to `server`.

    Everything may be changed at any time and holds for connections that are open already:
    `delay_s` for each piece of bytes and way; `hook` for what a test wants to see or drop.
    """

    def __init__(self, server: tuple[str, int]) -> None:
        self.port = 0
        self.delay_s = 0.0
        self.hook: Hook | None = None
        self._server = server
        self._links: set[Link] = set()
        self._refusing = False
        self._flowing = {way: asyncio.Event() for way in Way}
        self.restore()

    @property
    def open_links(self) -> int:
        return len(self._links)

    def refuse(self) -> None:
        """Reset new connections; open ones stay."""
        self._refusing = True

    def cut(self) -> None:
        """Reset every open connection."""
        for link in list(self._links):
            link.cut()

    def swallow(self, *ways: Way) -> None:
        """Pass nothing on in these ways (without any: in both), and say nothing.

        One way is a half-open link; both are a black hole. What was sent meanwhile arrives after
        `restore`, as after a repaired line.
        """
        for way in ways or Way:
            self._flowing[way].clear()

    def restore(self) -> None:
        """Pass everything on again and accept new connections."""
        self._refusing = False
        for flowing in self._flowing.values():
            flowing.set()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection until a side ends it."""
        if self._refusing:
            writer.transport.abort()
            return
        try:
            from_server, to_server = await asyncio.open_connection(*self._server)
        except OSError:
            writer.transport.abort()
            return
        link = Link(writer, to_server)
        self._links.add(link)
        try:
            await asyncio.gather(
                self._pass_on(link, Way.TO_SERVER, reader, to_server),
                self._pass_on(link, Way.TO_CLIENT, from_server, writer),
            )
        finally:
            self._links.discard(link)

    async def _pass_on(
        self, link: Link, way: Way, source: asyncio.StreamReader, target: asyncio.StreamWriter
    ) -> None:
        try:
            while piece := await source.read(_CHUNK):
                if self.delay_s:
                    await asyncio.sleep(self.delay_s)
                await self._flowing[way].wait()
                if self.hook is not None:
                    piece = self.hook(link, way, piece)
                target.write(piece)
                await target.drain()
        except (Cut, OSError):
            pass
        finally:
            link.cut()


@asynccontextmanager
async def tcp_proxy(server: tuple[str, int]) -> AsyncGenerator[TcpProxy]:
    """Run a proxy in front of a server until the block ends; its `port` is chosen here."""
    proxy = TcpProxy(server)
    listener = await asyncio.start_server(proxy.accept, "127.0.0.1", 0)
    proxy.port = listener.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        listener.close()
        proxy.restore()
        proxy.cut()
        with suppress(TimeoutError):
            async with asyncio.timeout(1):
                await listener.wait_closed()
