"""One small question over HTTP/1.1, for servers that we have just started."""

import asyncio

_TIMEOUT_S = 5.0


async def http_ask(port: int, path: str, *, method: str = "GET") -> tuple[int, bytes] | None:
    """Status and body of ``path`` at 127.0.0.1; None without a complete answer within 5 s."""
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                head = f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
                writer.write(f"{head}Content-Length: 0\r\nConnection: close\r\n\r\n".encode())
                answer = await reader.read()
            finally:
                writer.close()
                await writer.wait_closed()
    except (OSError, TimeoutError):
        return None
    head, separator, body = answer.partition(b"\r\n\r\n")
    status = head.split(b" ", 2)[1:2]
    return (int(status[0]), body) if separator and status and status[0].isdigit() else None
