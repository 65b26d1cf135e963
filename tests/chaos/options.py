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
    dedicated: bool = False
    """Two devices that hold one model at a time instead of one that holds all."""
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
    _add_run(parser, default)
    _add_load(parser, default)
    _add_files(parser, default)
    return Options(**vars(parser.parse_args(arguments)))


def _add_run(parser: argparse.ArgumentParser, default: Options) -> None:
    add = parser.add_argument
    add("--minutes", type=float, default=default.minutes, help="of load and faults (%(default)s)")
    add("--seed", type=int, default=int(time.time()), help="draws faults and tasks (the time in s)")
    stores = ("sqlite", "postgresql")
    add("--store", choices=stores, default=default.store, help="of the log (%(default)s)")
    triton = "run models (not set: the no-op stand-in, which runs none)"
    add("--triton", action="store_true", help=triton)
    dedicated = "two devices that load one model at a time (not set: one that has all)"
    add("--dedicated", action="store_true", help=dedicated)
    every = "mean seconds between two faults (%(default)s)"
    add("--every", type=float, default=default.every_s, dest="every_s", help=every)
    faults = "end after so many faults, before the minutes are over (%(default)s)"
    add("--faults", type=int, default=default.most_faults, dest="most_faults", help=faults)


def _add_load(parser: argparse.ArgumentParser, default: Options) -> None:
    add = parser.add_argument
    rate = "mean tasks per second, of all tenants together (%(default)s)"
    add("--rate", type=float, default=default.rate, help=rate)
    waiting = "no more tasks are begun while so many wait for their end (%(default)s)"
    add("--open", type=int, default=default.open_tasks, dest="open_tasks", help=waiting)
    burst = "at most so many tasks right before a fault (%(default)s)"
    add("--burst", type=int, default=default.burst, help=burst)


def _add_files(parser: argparse.ArgumentParser, default: Options) -> None:
    add = parser.add_argument
    keep = "directory for the data of runs that found something (%(default)s)"
    add("--keep", type=Path, default=default.kept, dest="kept", help=keep)
    add("--backup", type=Path, help="a new directory for a backup at the end (none is made)")
    record = "a .md file for the record, with a .json beside it (none is written)"
    add("--record", type=Path, help=record)
