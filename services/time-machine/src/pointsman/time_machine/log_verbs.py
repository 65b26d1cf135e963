"""Verbs that read a log: what was decided, whether it would be decided again, and what then was."""

import argparse
import gc
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, Protocol

import msgspec

from pointsman.eventstore.log_reader import LogUnreadableError
from pointsman.eventstore.log_rows import last_row
from pointsman.runtime.errors import FatalError
from pointsman.time_machine.device_why import device_why
from pointsman.time_machine.memory_held import memory_held
from pointsman.time_machine.moments import Span, moment, require_position
from pointsman.time_machine.pool_log import pools_of
from pointsman.time_machine.progress import Progress, progress_on
from pointsman.time_machine.replay.folding import fold_log
from pointsman.time_machine.replay.report import verify_log
from pointsman.time_machine.states.past_state import past_state
from pointsman.time_machine.whatif.comparison import what_if

_FEW_COLLECTIONS: Final = 1_000_000
"""New objects until the collector looks for cycles: a fold makes none, and a fifth of its time
would go into looking at open tasks again and again."""


class PoolUnclearError(FatalError):
    """The log knows several pools, or none; the caller names one, or another log."""

    code = "pool_unclear"

    def __init__(self, pools: list[str]) -> None:
        if pools:
            super().__init__(
                f"the log knows several pools: {', '.join(pools)}.",
                next_step="Name one with --pool.",
            )
        else:
            super().__init__(
                "no pool was ever led in this log.", next_step="Name the log of a stack that ran."
            )


class NoSuchPoolError(FatalError):
    """The log does not know the pool that was named; the caller names another."""

    code = "no_such_pool"

    def __init__(self, pools: list[str], asked: str) -> None:
        super().__init__(
            f"the log knows no pool {asked!r}.",
            next_step=f"Name one of {', '.join(pools)}." if pools else "Name another log.",
        )


class EmptySpanError(FatalError):
    """The end lies before the beginning; the caller turns them round."""

    code = "empty_span"

    def __init__(self) -> None:
        super().__init__(
            "the end of that time is not after its beginning.",
            next_step="Name a later --to, or an earlier --from.",
        )


class Verbs(Protocol):
    """Adds a verb and gives its arguments."""

    def __call__(
        self, name: str, run: Callable[[argparse.Namespace], object]
    ) -> argparse.ArgumentParser: ...


def add_log_verbs(verb: Verbs) -> None:
    """Add them all."""
    replayed = verb("replay", _replay)
    replayed.add_argument("--from", type=int, default=1, dest="first")
    replayed.add_argument("--to", type=int, default=None, dest="last")
    replayed.add_argument("--pool", action="append", default=[])
    folded = verb("fold", _fold)
    folded.add_argument("--pool", action="append", default=[])
    stood = verb("state", _state)
    _add_moment(stood, "at")
    asked = verb("whatif", _what_if)
    asked.add_argument("--policy", required=True)
    asked.add_argument("--devices", type=int, default=None)
    _add_moment(asked, "from")
    _add_moment(asked, "to")
    memory = verb("device-memory", _device_memory)
    _add_moment(memory, "from")
    _add_moment(memory, "to")
    for reading in (stood, asked, memory):
        reading.add_argument("--pool", default=None)
    why = verb("device-why", _device_why)
    why.add_argument("--device", required=True)
    why.add_argument("--last", type=int, required=True)
    for reading in (replayed, folded, stood, asked, why, memory):
        reading.add_argument("--log", type=Path, required=True)


def _add_moment(parser: argparse.ArgumentParser, name: str) -> None:
    one = parser.add_mutually_exclusive_group()
    one.add_argument(f"--{name}-position", type=int, default=None)
    one.add_argument(f"--{name}-time", type=float, default=None)


def _replay(asked: argparse.Namespace) -> dict[str, object]:
    gc.set_threshold(_FEW_COLLECTIONS)
    log: Path = asked.log
    for named in (asked.first, asked.last or 1):
        if named > 1:
            require_position(log, named)
    pools = [_pool(log, pool) for pool in asked.pool]
    with _told(log) as progress:
        return _said(
            verify_log(log, pools=pools, first=asked.first, last=asked.last, progress=progress)
        )


def _fold(asked: argparse.Namespace) -> dict[str, object]:
    gc.set_threshold(_FEW_COLLECTIONS)
    log: Path = asked.log
    pools = [_pool(log, pool) for pool in asked.pool]
    with _told(log) as progress:
        return _said(fold_log(log, pools=pools, progress=progress))


def _state(asked: argparse.Namespace) -> dict[str, object]:
    gc.set_threshold(_FEW_COLLECTIONS)
    at = moment(asked.log, position=asked.at_position, time=asked.at_time)
    pool = _pool(asked.log, asked.pool)
    with _told(asked.log) as progress:
        return _said(past_state(asked.log, pool, at, progress=progress))


def _what_if(asked: argparse.Namespace) -> dict[str, object]:
    log: Path = asked.log
    span = _span(asked)
    pool = _pool(log, asked.pool)
    with _told(log) as progress:
        return _said(
            what_if(log, pool, span, policy=asked.policy, devices=asked.devices, progress=progress)
        )


def _span(asked: argparse.Namespace) -> Span:
    """A time that begins before the log or ends behind it means as much of it as there is."""
    log: Path = asked.log
    first, last = moment(log, position=1).time, moment(log).time
    begin, end = first, last
    if asked.from_position is not None or asked.from_time is not None:
        early = asked.from_time is not None and asked.from_time < first
        from_time = first if early else asked.from_time
        begin = moment(log, position=asked.from_position, time=from_time).time
    if asked.to_position is not None or (asked.to_time is not None and asked.to_time <= last):
        end = moment(log, position=asked.to_position, time=asked.to_time).time
    if begin > end:
        raise EmptySpanError
    return Span(begin, end)


def _device_why(asked: argparse.Namespace) -> dict[str, object]:
    return _said(device_why(asked.log, asked.device, last=asked.last))


def _device_memory(asked: argparse.Namespace) -> dict[str, object]:
    log: Path = asked.log
    begin, end = _span(asked)
    return _said(memory_held(log, _pool(log, asked.pool), begin=begin, end=end))


def _pool(log: Path, asked: str | None) -> str:
    known = pools_of(log)
    if asked is None:
        if len(known) == 1:
            return known[0]
        raise PoolUnclearError(known)
    if asked not in known:
        raise NoSuchPoolError(known, asked)
    return asked


@contextmanager
def _told(log: Path) -> Generator[Progress]:
    last = None
    with suppress(LogUnreadableError):
        # Whoever reads it to its end says what is wrong.
        last = last_row(log)
    progress = progress_on(sys.stderr, 0 if last is None else last[0])
    try:
        yield progress
    finally:
        progress.end()


def _said(report: object) -> dict[str, object]:
    return {"report": msgspec.to_builtins(report), "notes": []}
