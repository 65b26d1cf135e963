"""`python -m tests.chaos.restores BACKUP`: the log of a run, restored to random moments of it.

Each restored log is judged as it is, then a stack goes on with it until everything has ended, and
the log is judged again: what the restore undid runs again, and ends once.
"""

import argparse
import random
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pointsman.contracts.history import judge
from pointsman.contracts.recorded import Recorded
from pointsman.eventstore.backup import LOG, open_backup
from pointsman.eventstore.log_file import linked_pages
from pointsman.eventstore.restoring import Restored, restore
from pointsman.eventstore.verification import ChainCheck
from tests.chaos.record import say
from tests.cli.command_line import CommandLine, running_up

_ENDS_WITHIN_S: Final = 120.0
_OPEN: Final = "lost"
"""What the judge calls tasks without a terminal event; a log that was cut has such."""


@dataclass(frozen=True, slots=True)
class Life:
    """What was found in one restored log."""

    position: int
    undone: int
    open: int
    """Tasks that had not ended at the position."""
    faults: dict[str, int]
    """Before and after the stack went on; empty is what everybody hopes for."""


def restored_lives(backup: Path, *, restores: int, seed: int) -> list[Life]:
    """Restore to `restores` random positions, each into a directory and a stack of its own."""
    last = open_backup(backup).position
    positions = sorted(random.Random(seed).sample(range(1, last + 1), restores))
    lives: list[Life] = []
    for position in positions:
        with tempfile.TemporaryDirectory(prefix="pointsman-restored-") as data:
            lives.append(_live(backup, Path(data), position))
        _tell(lives[-1])
    return lives


def _live(backup: Path, data: Path, position: int) -> Life:
    restored = restore(backup, data, position=position)
    before = _faults(data)
    open_tasks = before.pop(_OPEN, 0)
    faults = {f"before {kind}": count for kind, count in before.items()}
    with running_up(data):
        _until_all_have_ended(data, restored)
    faults |= {f"after {kind}": count for kind, count in _faults(data).items()}
    return Life(position, restored.events_undone, open_tasks, faults)


def _until_all_have_ended(data: Path, restored: Restored) -> None:
    pointsman = CommandLine(data)
    until = time.monotonic() + _ENDS_WITHIN_S
    while any(
        pointsman.json("task", "ls", "--state", state, "--limit", "1")
        for state in ("queued", "granted")
    ):
        if time.monotonic() > until:
            raise TimeoutError(f"tasks of position {restored.position} did not end")


def _faults(data: Path) -> dict[str, int]:
    chain = ChainCheck()
    events: list[Recorded] = []
    for page in linked_pages(data / LOG):
        chain.take(page)
        events += (linked.event for linked in page)
    faults = judge(events).faults()
    return faults if chain.broken is None else {**faults, "broken_chain": chain.broken.position}


def _tell(life: Life) -> None:
    found = ", ".join(f"{kind} {count}" for kind, count in life.faults.items()) or "clean"
    say(
        f"position {life.position:8d}  undone {life.undone:8d}  open {life.open:5d}  {found}",
    )


def main(arguments: list[str]) -> int:
    """Exit status: 1 when something was found."""
    parser = argparse.ArgumentParser(prog="restores", description=__doc__)
    parser.add_argument("backup", type=Path, help="made by `pointsman backup`, or by a chaos run")
    parser.add_argument("--restores", type=int, default=20)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    asked = parser.parse_args(arguments)
    lives = restored_lives(asked.backup, restores=asked.restores, seed=asked.seed)
    bad = sum(bool(life.faults) for life in lives)
    say(f"{len(lives)} restores of {asked.backup} with seed {asked.seed}: {bad} with findings")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
