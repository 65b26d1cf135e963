import asyncio
import json
from collections.abc import AsyncGenerator

import pytest

from pointsman.runtime.health import Health, HealthServer


@pytest.fixture
async def served() -> AsyncGenerator[tuple[Health, HealthServer]]:
    health = Health()
    server = HealthServer(health, 0)
    await server.start()
    yield health, server
    await server.stop()


async def ask(server: HealthServer, request: bytes) -> tuple[int, dict[str, object]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(request)
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    return int(head.split(b" ")[1]), json.loads(body)


async def get(server: HealthServer, path: str) -> tuple[int, dict[str, object]]:
    return await ask(server, f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())


async def test_a_process_is_live_before_it_is_ready(served: tuple[Health, HealthServer]) -> None:
    _, server = served

    assert await get(server, "/live") == (200, {"status": "live"})
    assert await get(server, "/ready") == (503, {"status": "not_ready", "components": {}})


async def test_it_is_ready_when_every_component_is_well(
    served: tuple[Health, HealthServer],
) -> None:
    health, server = served
    health.set("bus", ok=True)
    health.set("log", ok=True)

    assert await get(server, "/ready") == (
        200,
        {"status": "ready", "components": {"bus": {"ok": True}, "log": {"ok": True}}},
    )


async def test_one_component_that_fails_is_named_with_its_reason(
    served: tuple[Health, HealthServer],
) -> None:
    health, server = served
    health.set("bus", ok=True)
    health.set("log", ok=False, detail="disk full")

    status, document = await get(server, "/ready?verbose")

    assert status == 503
    assert document["components"] == {
        "bus": {"ok": True},
        "log": {"ok": False, "detail": "disk full"},
    }


async def test_a_component_that_has_ended_as_planned_no_longer_counts(
    served: tuple[Health, HealthServer],
) -> None:
    health, _ = served
    health.set("bus", ok=True)
    health.set("import", ok=False, detail="running")

    health.forget("import")

    assert health.ready


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /metrics HTTP/1.1\r\n\r\n", 404),
        (b"POST /ready HTTP/1.1\r\n\r\n", 405),
        (b"nonsense\r\n\r\n", 400),
    ],
)
async def test_other_requests_are_refused(
    served: tuple[Health, HealthServer], request_: bytes, status: int
) -> None:
    _, server = served

    assert (await ask(server, request_))[0] == status


async def test_an_endless_request_gets_no_answer(served: tuple[Health, HealthServer]) -> None:
    _, server = served
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)

    writer.write(b"GET /" + b"x" * 20_000)

    with pytest.raises(ConnectionResetError):
        await _read_or_reset(reader)
    writer.close()


async def _read_or_reset(reader: asyncio.StreamReader) -> None:
    if await reader.read() == b"":
        raise ConnectionResetError
