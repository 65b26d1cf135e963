"""Verbs that read a log: what was decided, whether it would be decided again, and what then was."""

import argparse
import gc
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

import msgspec

from pointsman.runtime.errors import FatalError
from pointsman.time_machine.device_why import device_why
from pointsman.time_machine.memory_held import memory_held
from pointsman.time_machine.moments import moment
from pointsman.time_machine.pool_log import pools_of
from pointsman.time_machine.replay.report import verify_log
from pointsman.time_machine.states.past_state import past_state
from pointsman.time_machine.whatif.comparison import what_if

_FEW_COLLECTIONS: Final = 1_000_000
"""New objects until the collector looks for cycles: a fold makes none, and a fifth of its time
would go into looking at open tasks again and again."""


class PoolUnclearError(FatalError):
    """The log knows several pools, or not the one that was named; the caller names one."""

    code = "pool_unclear"

    def __init__(self, pools: list[str], asked: str | None) -> None:
        known = ", ".join(pools) or "none"
        wrong = "knows several pools" if asked is None else f"knows no pool {asked}"
        super().__init__(f"the log {wrong}: {known}.", next_step="Name one with --pool.")


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
    for reading in (replayed, stood, asked, why, memory):
        reading.add_argument("--log", type=Path, required=True)


def _add_moment(parser: argparse.ArgumentParser, name: str) -> None:
    one = parser.add_mutually_exclusive_group()
    one.add_argument(f"--{name}-position", type=int, default=None)
    one.add_argument(f"--{name}-time", type=float, default=None)


def _replay(asked: argparse.Namespace) -> dict[str, object]:
    gc.set_threshold(_FEW_COLLECTIONS)
    pools = [_pool(asked.log, pool) for pool in asked.pool]
    return _said(verify_log(asked.log, pools=pools, first=asked.first, last=asked.last))


def _state(asked: argparse.Namespace) -> dict[str, object]:
    gc.set_threshold(_FEW_COLLECTIONS)
    at = moment(asked.log, position=asked.at_position, time=asked.at_time)
    return _said(past_state(asked.log, _pool(asked.log, asked.pool), at))


def _what_if(asked: argparse.Namespace) -> dict[str, object]:
    log: Path = asked.log
    begin = _begin(log, asked.from_position, asked.from_time)
    end = moment(log, position=asked.to_position, time=asked.to_time)
    pool = _pool(log, asked.pool)
    return _said(
        what_if(log, pool, begin=begin, end=end.time, policy=asked.policy, devices=asked.devices)
    )


def _begin(log: Path, position: int | None, time: float | None) -> float:
    first = moment(log, position=1)
    if position is not None:
        return moment(log, position=position).time
    return first.time if time is None else max(time, first.time)


def _device_why(asked: argparse.Namespace) -> dict[str, object]:
    return _said(device_why(asked.log, asked.device, last=asked.last))


def _device_memory(asked: argparse.Namespace) -> dict[str, object]:
    log: Path = asked.log
    begin = _begin(log, asked.from_position, asked.from_time)
    end = moment(log, position=asked.to_position, time=asked.to_time)
    return _said(memory_held(log, _pool(log, asked.pool), begin=begin, end=end.time))


def _pool(log: Path, asked: str | None) -> str:
    known = pools_of(log)
    if asked is None and len(known) == 1:
        return known[0]
    if asked is None or asked not in known:
        raise PoolUnclearError(known, asked)
    return asked


def _said(report: object) -> dict[str, object]:
    return {"report": msgspec.to_builtins(report), "notes": []}
