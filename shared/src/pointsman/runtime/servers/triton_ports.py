"""Where one Triton listens."""

import random
import socket
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

# Below the range from which systems take the ports of outgoing connections: a client that keeps
# trying to reach a dead server on a port of that range can connect to itself and block the port.
_PORT_RANGE: Final = (20_000, 32_000)


@dataclass(frozen=True, slots=True)
class TritonPorts:
    """Where one server listens on 127.0.0.1."""

    grpc: int
    http: int
    metrics: int

    @classmethod
    def free(cls) -> "TritonPorts":
        """Pick three ports on which nobody listens now."""
        with ExitStack() as held:
            return cls(*(_free_port(held) for _ in range(3)))


def _free_port(held: ExitStack) -> int:
    """Find a port and hold it until ``held`` is left."""
    while True:
        port = random.randrange(*_PORT_RANGE)
        holder = held.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
        try:
            holder.bind(("127.0.0.1", port))
        except OSError:
            continue
        return port
