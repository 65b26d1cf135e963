"""A link that is cut, refused, slowed down and silenced."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import pytest

from pointsman.testing import wait_until
from pointsman.testing.tcp_proxy import Cut, Link, TcpProxy, Way, tcp_proxy

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while piece := await reader.read(1000):
            writer.write(piece)
    except ConnectionError:
        pass
    finally:
        writer.transport.abort()


@pytest.fixture
async def proxy() -> AsyncIterator[TcpProxy]:
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with tcp_proxy(server.sockets[0].getsockname()) as proxy:
        yield proxy
    server.close()


@asynccontextmanager
async def connected(proxy: TcpProxy) -> AsyncGenerator[Streams]:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


@pytest.fixture
async def client(proxy: TcpProxy) -> AsyncIterator[Streams]:
    async with connected(proxy) as streams:
        yield streams


async def ask(client: Streams, text: bytes, *, timeout_s: float = 5.0) -> bytes:
    reader, writer = client
    writer.write(text)
    async with asyncio.timeout(timeout_s):
        return await reader.readexactly(len(text))


async def test_bytes_pass_both_ways(client: Streams) -> None:
    assert await ask(client, b"hello") == b"hello"


async def test_a_cut_link_is_reset_and_a_new_one_works(proxy: TcpProxy, client: Streams) -> None:
    await ask(client, b"hello")

    proxy.cut()

    with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
        await ask(client, b"hello")
    async with connected(proxy) as again:
        assert await ask(again, b"again") == b"again"


async def test_a_refusing_proxy_resets_new_links_and_keeps_old_ones(
    proxy: TcpProxy, client: Streams
) -> None:
    await ask(client, b"hello")
    proxy.refuse()

    async with connected(proxy) as refused:
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await ask(refused, b"hello")

    assert await ask(client, b"still") == b"still"


@pytest.mark.parametrize("ways", [(), (Way.TO_CLIENT,), (Way.TO_SERVER,)])
async def test_what_was_swallowed_arrives_when_the_line_is_restored(
    proxy: TcpProxy, client: Streams, ways: tuple[Way, ...]
) -> None:
    await ask(client, b"hello")
    proxy.swallow(*ways)

    with pytest.raises(TimeoutError):
        await ask(client, b"late!", timeout_s=0.1)
    assert proxy.open_links == 1
    proxy.restore()

    assert await client[0].readexactly(5) == b"late!"


async def test_each_piece_may_be_late(proxy: TcpProxy, client: Streams) -> None:
    proxy.delay_s = 0.05
    began = time.monotonic()

    await ask(client, b"hello")

    assert time.monotonic() - began >= 2 * proxy.delay_s


async def test_a_hook_changes_what_passes_or_cuts_instead(proxy: TcpProxy, client: Streams) -> None:
    def hook(_link: Link, way: Way, piece: bytes) -> bytes:
        if piece == b"end":
            raise Cut
        return piece.upper() if way is Way.TO_CLIENT else piece

    proxy.hook = hook

    assert await ask(client, b"hello") == b"HELLO"
    with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
        await ask(client, b"end")
    await wait_until(lambda: not proxy.open_links)
