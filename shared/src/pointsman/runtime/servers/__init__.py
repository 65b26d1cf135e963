"""Real servers as child processes: what `pointsman up` starts and what tests run against."""

from pointsman.runtime.servers.errors import (
    ServerError,
    ServerMissingError,
    ServerStartError,
    ServerTooOldError,
)
from pointsman.runtime.servers.nats import LocalNats
from pointsman.runtime.servers.nats_config import MAX_PAYLOAD_BYTES, NatsUser
from pointsman.runtime.servers.nats_program import check_nats_server, find_nats_server
from pointsman.runtime.servers.postgres import LocalPostgres
from pointsman.runtime.servers.postgres_program import PostgresProgram, find_postgres
from pointsman.runtime.servers.process import ServerAccount, ServerProcess, kill_leftovers
from pointsman.runtime.servers.triton import LocalTriton
from pointsman.runtime.servers.triton_environment import (
    Missing,
    TritonEnvironment,
    TritonSupport,
    triton_support,
)

__all__ = [
    "MAX_PAYLOAD_BYTES",
    "LocalNats",
    "LocalPostgres",
    "LocalTriton",
    "Missing",
    "NatsUser",
    "PostgresProgram",
    "ServerAccount",
    "ServerError",
    "ServerMissingError",
    "ServerProcess",
    "ServerStartError",
    "ServerTooOldError",
    "TritonEnvironment",
    "TritonSupport",
    "check_nats_server",
    "find_nats_server",
    "find_postgres",
    "kill_leftovers",
    "triton_support",
]
