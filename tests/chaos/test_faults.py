"""Which faults are drawn, and that the same seed draws them again."""

import random
import subprocess
import sys
from collections import Counter

from tests.chaos.faults import LEADER_STOPPED_S, Fault, FaultKind, draw_fault, kill

ONE_PROCESS = ("executor-1", "nats", "services")
PROCESSES = ("executor-1", "feedback", "nats", "postgres", "scheduler", "scheduler-2")


def drawn(parts: tuple[str, ...], number: int = 2_000, seed: int = 7) -> list[Fault]:
    draws = random.Random(seed)
    return [draw_fault(draws, parts) for _ in range(number)]


def test_every_part_is_killed_alone_and_in_pairs() -> None:
    faults = drawn(PROCESSES)

    killed = Counter(fault.parts[0] for fault in faults if fault.kind is FaultKind.KILL)
    in_pairs = {
        part for fault in faults if fault.kind is FaultKind.KILL_TWO for part in fault.parts
    }
    assert set(killed) == in_pairs == set(PROCESSES)
    assert min(killed.values()) > 100


def test_every_kind_is_drawn_where_there_is_a_database() -> None:
    assert {fault.kind for fault in drawn(PROCESSES)} == set(FaultKind)


def test_without_a_database_no_backend_is_killed() -> None:
    faults = drawn(ONE_PROCESS)

    assert {fault.kind for fault in faults} == set(FaultKind) - {FaultKind.KILL_BACKEND}
    assert {part for fault in faults for part in fault.parts} == set(ONE_PROCESS)


def test_a_leader_is_stopped_for_longer_than_its_lead_lasts() -> None:
    stopped = [fault for fault in drawn(PROCESSES) if fault.kind is FaultKind.STOP_LEADER]

    assert all(LEADER_STOPPED_S[0] <= fault.for_s <= LEADER_STOPPED_S[1] for fault in stopped)
    assert LEADER_STOPPED_S[0] > 4


def test_the_same_seed_draws_the_same_faults() -> None:
    assert drawn(PROCESSES, 50, seed=3) == drawn(PROCESSES, 50, seed=3)
    assert drawn(PROCESSES, 50, seed=3) != drawn(PROCESSES, 50, seed=4)


def test_a_kill_of_what_has_ended_says_so() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert kill(child.pid)
        assert child.wait() < 0

    assert not kill(child.pid)
