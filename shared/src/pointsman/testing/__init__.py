"""Shipped doubles that pass the contract suites, and real servers for tests."""

from pointsman.testing.servers import nats_server, triton, triton_here
from pointsman.testing.waiting import wait_until

__all__ = ["nats_server", "triton", "triton_here", "wait_until"]
