"""What a run is told, and the seed that makes it the same again."""

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

Store = Literal["sqlite", "postgresql"]
TENANTS: Final = ("acme", "globex", "initech")


@dataclass(frozen=True, slots=True)
class Options:
    """One run; the same seed draws the same kinds of faults in the same order.

    `every_s` is the mean time between two faults, `rate` the tasks per second of all tenants
    together, `open_tasks` how many may wait for their end at once, `burst` how many are sent right
    before a fault.
    """

    minutes: float = 3.0
    seed: int = field(default_factory=lambda: int(time.time()))
    store: Store = "sqlite"
    triton: bool = False
    every_s: float = 9.0
    rate: float = 8.0
    open_tasks: int = 300
    burst: int = 20
    most_faults: int = 1_000_000
    kept: Path = Path("build/chaos")
    """Where the data and the histories of a run lie that found something."""
    record: Path | None = None
    backup: Path | None = None


def parse(arguments: Sequence[str]) -> Options:
    parser = argparse.ArgumentParser(
        prog="chaos", description="Kill every part of a stack at random moments, and judge its log."
    )
    default = Options(seed=0)
    parser.add_argument("--minutes", type=float, default=default.minutes)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--store", choices=("sqlite", "postgresql"), default=default.store)
    parser.add_argument("--triton", action="store_true", help="run models, not the no-op stand-in")
    parser.add_argument("--every", type=float, default=default.every_s, dest="every_s")
    parser.add_argument("--rate", type=float, default=default.rate, help="tasks per second")
    parser.add_argument("--open", type=int, default=default.open_tasks, dest="open_tasks")
    parser.add_argument("--burst", type=int, default=default.burst)
    parser.add_argument("--faults", type=int, default=default.most_faults, dest="most_faults")
    parser.add_argument("--keep", type=Path, default=default.kept, dest="kept")
    parser.add_argument("--backup", type=Path, help="a new directory for a backup at the end")
    parser.add_argument("--record", type=Path, help="where the record is written, a .md file")
    return Options(**vars(parser.parse_args(arguments)))
