"""Live and ready over HTTP on loopback, for supervisors and orchestrators."""

import asyncio
import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

_REQUEST_TIMEOUT_S: Final = 2.0
_LIMIT_BYTES: Final = 8 * 1024
_REQUEST_LINE_PARTS: Final = 3


@dataclass(frozen=True, slots=True)
class ComponentState:
    """One part of a process that can fail by itself."""

    ok: bool
    detail: str = ""


class Health:
    """Named component states; ready means that there are some and all of them are well."""

    def __init__(self) -> None:
        self._components: dict[str, ComponentState] = {}

    def set(self, component: str, ok: bool, detail: str = "") -> None:  # noqa: FBT001 - a state
        """`detail` says what is wrong, in words for an operator."""
        self._components[component] = ComponentState(ok, detail)

    def forget(self, component: str) -> None:
        """Stop considering a component that has ended as planned."""
        self._components.pop(component, None)

    @property
    def ready(self) -> bool:
        return bool(self._components) and all(state.ok for state in self._components.values())

    @property
    def components(self) -> dict[str, ComponentState]:
        return dict(self._components)

    def document(self) -> dict[str, object]:
        """What `/ready` answers."""
        return {
            "status": "ready" if self.ready else "not_ready",
            "components": {
                name: {"ok": state.ok} | ({"detail": state.detail} if state.detail else {})
                for name, state in sorted(self._components.items())
            },
        }


class HealthServer:
    """`GET /live` (200 while the event loop turns) and `GET /ready` (200 or 503), as JSON."""

    def __init__(self, health: Health, port: int) -> None:
        self._health = health
        self._port = port
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        """The port listened on; chosen by the system when 0 was asked for."""
        return self._port

    async def start(self) -> None:
        """Raises `OSError` when the port is taken."""
        self._server = await asyncio.start_server(
            self._serve, "127.0.0.1", self._port, limit=_LIMIT_BYTES
        )
        self._port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_REQUEST_TIMEOUT_S):
                request = await reader.readuntil(b"\r\n\r\n")
                writer.write(self._answer(request))
                await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            # The asker is gone, slow or no HTTP client; it gets no answer.
            return
        finally:
            writer.close()

    def _answer(self, request: bytes) -> bytes:
        parts = request.split(b"\r\n", 1)[0].split(b" ")
        if len(parts) != _REQUEST_LINE_PARTS:
            return _response(HTTPStatus.BAD_REQUEST, {"status": "bad_request"})
        method, path = parts[0], parts[1].split(b"?", 1)[0]
        if method not in {b"GET", b"HEAD"}:
            return _response(HTTPStatus.METHOD_NOT_ALLOWED, {"status": "method_not_allowed"})
        if path == b"/live":
            return _response(HTTPStatus.OK, {"status": "live"})
        if path == b"/ready":
            status = HTTPStatus.OK if self._health.ready else HTTPStatus.SERVICE_UNAVAILABLE
            return _response(status, self._health.document())
        return _response(HTTPStatus.NOT_FOUND, {"status": "not_found"})


def _response(status: HTTPStatus, document: dict[str, object]) -> bytes:
    body = json.dumps(document).encode()
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        "Cache-Control: no-store\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body
