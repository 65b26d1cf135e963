"""Real servers for tests, as child processes that end with the block."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Final

from pointsman.runtime.servers import (
    LocalNats,
    LocalPostgres,
    LocalTriton,
    NatsUser,
    TritonSupport,
    triton_support,
)

PROJECT: Final = Path(__file__).resolve().parents[4]
TRITON_ENVIRONMENT: Final = PROJECT / ".venv-triton"
SAMPLE_MODELS: Final = PROJECT / "infra" / "triton" / "models"


@asynccontextmanager
async def nats_server(
    tmp: Path, *, users: Sequence[NatsUser] = (), port: int = 0, name: str = "pointsman"
) -> AsyncGenerator[LocalNats]:
    """Run a nats-server with its files in ``tmp / "nats"``; no ``users``: everything is allowed."""
    server = LocalNats(tmp / "nats", users, port, name=name, unauthenticated_for_tests=not users)
    try:
        await server.start()
        yield server
    finally:
        await server.stop()


@asynccontextmanager
async def postgres(tmp: Path, *, port: int = 0) -> AsyncGenerator[LocalPostgres]:
    """Run a PostgreSQL with its files in ``tmp / "postgres"``.

    ``dsn`` names its empty database for a log, ``create_database`` makes further ones: one server
    for many tests is the cheap way, because a new server takes a second.

    Raises:
        ServerMissingError: PostgreSQL is not installed.
    """
    server = LocalPostgres(tmp / "postgres", port)
    try:
        await server.start()
        yield server
    finally:
        await server.stop()


@asynccontextmanager
async def triton(
    tmp: Path,
    models: Sequence[str] = ("identity",),
    *,
    repository: Path = SAMPLE_MODELS,
    environment: Path = TRITON_ENVIRONMENT,
    name: str = "triton",
    variables: Mapping[str, str] = MappingProxyType({}),
) -> AsyncGenerator[LocalTriton]:
    """Run a Triton with its files in ``tmp / "triton"``.

    At the end it is killed and swept: nothing of it is durable, and unloading politely takes 4 s.

    Raises:
        ServerMissingError: Triton cannot run here; ask ``triton_here`` before to skip.
    """
    server = LocalTriton(environment, repository, tmp / "triton", models, name, variables)
    try:
        await server.start()
        yield server
    finally:
        await server.stop(grace_s=0)


def triton_here() -> TritonSupport:
    """Tell whether the project's own Triton environment can run here."""
    return triton_support(TRITON_ENVIRONMENT)
