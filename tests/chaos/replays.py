"""Whether every decision of a run comes out the same when it is made again."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from tests.chaos.verdict import Outcome
from tests.e2e.up import environment


async def judge_decisions(data: Path, outcome: Outcome) -> dict[str, Any]:
    """`pointsman replay --verify` on the log of a stack that still runs; gives its report."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "pointsman.cli", "replay", "--verify",
        "--data", str(data), "-o", "json",
        env=environment(), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, said = await process.communicate()
    try:
        report: dict[str, Any] = json.loads(output)
    except ValueError:
        outcome.add("not_replayed", (said.decode(errors="replace")[-2_000:],))
        return {}
    outcome.add("decided_otherwise", tuple(report["differences"]))
    outcome.add("not_replayed", (report["stopped"],) if report["stopped"] else ())
    return report
