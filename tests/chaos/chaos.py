"""A whole run: stack, load and faults, then the judgement and its record."""

import asyncio
import contextlib
import dataclasses
import json
import shutil
import sqlite3
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import psycopg

from pointsman.eventstore.backup import back_up
from pointsman.eventstore.database_backup import back_up_database
from tests.chaos.log import LogPlace
from tests.chaos.options import Options
from tests.chaos.record import markdown, record_of
from tests.chaos.run import Ran, run_chaos
from tests.chaos.stack import ChaosStack, StackEndedError, chaos_stack
from tests.chaos.verdict import Outcome, judge_clients, judge_log, judge_streams, judge_views

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Judged:
    """`folder` is where everything lies if something was found, and is gone otherwise."""

    outcome: Outcome
    record: dict[str, object]
    folder: Path

    @property
    def exit_status(self) -> int:
        return 1 if self.outcome.found else 0


async def chaos(options: Options, say: Say) -> Judged:
    """Run and judge; what was found is kept with its histories, a clean run leaves its record."""
    folder = options.kept.absolute() / f"{time.strftime('%Y%m%d-%H%M%S')}-seed-{options.seed}"
    folder.mkdir(parents=True)
    say(f"chaos for {options.minutes:g} min, seed {options.seed}, {options.store}, in {folder}")
    outcome = Outcome()
    async with chaos_stack(folder / "data", options) as stack:
        ran = Ran.of(stack, options)
        try:
            await run_chaos(stack, options, ran, say)
            await _judge(stack, ran, folder, outcome, say)
            if options.backup is not None:
                await _back_up(stack, options.backup.absolute())
        except StackEndedError as error:
            outcome.add("stack_ended", (error,))
        except Exception:  # noqa: BLE001 - an hour of measurements must not end without a record
            outcome.add("run_failed", (traceback.format_exc(),))
        if outcome.found:
            await asyncio.to_thread(_keep_log, folder, stack.log)
        record = record_of(options, stack.last_record, ran, outcome)
    _write(folder, ran, outcome, record)
    if options.record is not None:
        options.record.parent.mkdir(parents=True, exist_ok=True)
        options.record.write_text(markdown(record), encoding="utf-8")
        options.record.with_suffix(".json").write_text(json.dumps(record, indent=2) + "\n")
    say(markdown(record))
    if outcome.found:
        say(f"found {outcome.counts()}; everything is kept in {folder}")
    else:
        shutil.rmtree(folder)
    return Judged(outcome, record, folder)


async def _judge(stack: ChaosStack, ran: Ran, folder: Path, outcome: Outcome, say: Say) -> None:
    say("the load has ended: judging clients and log")
    judge_clients(ran, outcome)
    await asyncio.to_thread(judge_log, stack.log, ran, outcome)
    say(f"{outcome.counts() or 'nothing found'}; judging what the bus holds")
    await judge_streams(stack, outcome)
    say(f"{outcome.counts() or 'nothing found'}; rebuilding every view")
    await asyncio.to_thread(judge_views, stack.data, stack.log, folder / "views", outcome)


async def _back_up(stack: ChaosStack, into: Path) -> None:
    """For `tests.chaos.restores`."""
    if stack.log.dsn:
        await back_up_database(stack.log.dsn, stack.data, into)
    else:
        await asyncio.to_thread(back_up, stack.data, into)


def _keep_log(folder: Path, log: LogPlace) -> None:
    """Every event as a line; as many as can be read."""
    with (
        (folder / "log.jsonl").open("wb") as file,
        contextlib.suppress(sqlite3.Error, psycopg.Error, OSError),
    ):
        for event in log.read():
            file.write(msgspec.json.encode(event) + b"\n")


def _write(folder: Path, ran: Ran, outcome: Outcome, record: dict[str, object]) -> None:
    """What is needed to look again: every message with its answer, every fault, every finding."""
    with (folder / "sent.jsonl").open("w", encoding="utf-8") as file:
        for sent in ran.load.sent.values():
            file.write(json.dumps(dataclasses.asdict(sent), default=str) + "\n")
    with (folder / "outages.jsonl").open("w", encoding="utf-8") as file:
        for outage in ran.recoveries.outages:
            file.write(json.dumps(dataclasses.asdict(outage)) + "\n")
    (folder / "found.json").write_text(json.dumps(outcome.found, indent=2), encoding="utf-8")
    (folder / "record.json").write_text(json.dumps(record, indent=2), encoding="utf-8")
