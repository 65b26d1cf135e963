"""Which faults a run draws, and how each is done to the processes of a stack."""

import os
import random
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import psutil

from pointsman.cli.stack.plan import POSTGRES
from pointsman.cli.stack.supervisor import NATS

LEADER_STOPPED_S: Final = (5.0, 9.0)
"""Longer than the leader's lead lasts, so that somebody else takes over meanwhile."""
PART_STOPPED_S: Final = (1.0, 6.0)
APART_S: Final = 3.0
"""The second of two kills comes within this time, so that it often meets a recovery."""

_PAIRS: Final = 0.12
_BACKENDS: Final = 0.06
_LEADER_STOPS: Final = 0.06
_PART_STOPS: Final = 0.05
# The two servers that everything goes through are killed more often than each service.
_SERVERS_WEIGHT: Final = 2


class FaultKind(StrEnum):
    KILL = "kill"
    KILL_BACKEND = "kill a backend"
    KILL_TWO = "kill two"
    STOP_LEADER = "stop the leader"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault; `after_s` is the pause between two kills, `for_s` how long a process stands."""

    kind: FaultKind
    parts: tuple[str, ...]
    after_s: float = 0.0
    for_s: float = 0.0

    @property
    def name(self) -> str:
        """What figures are kept under."""
        if self.kind is FaultKind.KILL_TWO:
            return str(self.kind)
        return f"{self.kind} {self.parts[0]}" if self.parts else str(self.kind)

    @property
    def kills(self) -> int:
        return {FaultKind.KILL_TWO: 2, FaultKind.STOP: 0, FaultKind.STOP_LEADER: 0}.get(
            self.kind, 1
        )


def draw_fault(draws: random.Random, parts: Sequence[str]) -> Fault:
    """Draw the next fault from the names of the parts that there are."""
    drawn = draws.random()
    if drawn < _PAIRS:
        first, second = draws.sample(sorted(parts), 2)
        return Fault(FaultKind.KILL_TWO, (first, second), after_s=draws.uniform(0, APART_S))
    drawn -= _PAIRS
    if drawn < _LEADER_STOPS:
        return Fault(FaultKind.STOP_LEADER, (), for_s=draws.uniform(*LEADER_STOPPED_S))
    drawn -= _LEADER_STOPS
    if drawn < _PART_STOPS:
        servers = [part for part in sorted(parts) if part in {NATS, POSTGRES}]
        return Fault(FaultKind.STOP, (draws.choice(servers),), for_s=draws.uniform(*PART_STOPPED_S))
    drawn -= _PART_STOPS
    if POSTGRES in parts and drawn < _BACKENDS:
        return Fault(FaultKind.KILL_BACKEND, (POSTGRES,))
    weights = [_SERVERS_WEIGHT if part in {NATS, POSTGRES} else 1 for part in sorted(parts)]
    return Fault(FaultKind.KILL, tuple(draws.choices(sorted(parts), weights)))


def kill(pid: int) -> bool:
    """End a process as `kill -9` does; false if it has ended by itself."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def family_of(pid: int) -> list[int]:
    """A process and its children; empty if it has ended."""
    try:
        return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
    except psutil.Error:
        return []


def backend_of(postmaster: int, draws: random.Random) -> int | None:
    """A process of PostgreSQL that serves a client, drawn."""
    try:
        children = psutil.Process(postmaster).children()
        serving = sorted(child.pid for child in children if _serves(child))
    except psutil.Error:
        return None
    return draws.choice(serving) if serving else None


def _serves(process: psutil.Process) -> bool:
    """Whether PostgreSQL titled it with an address: `postgres: user database 127.0.0.1(4711)`."""
    try:
        title = " ".join(process.cmdline())
    except psutil.Error:
        return False
    return title.startswith("postgres: ") and ("127.0.0.1" in title or "[local]" in title)
