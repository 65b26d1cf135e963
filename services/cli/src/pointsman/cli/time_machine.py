"""Asks the time machine: a process of its own that prints one JSON document and ends."""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from pointsman.cli.failures import CommandError, ExitCode

Report = dict[str, Any]


class _Error(msgspec.Struct):
    code: str
    message: str
    next_step: str


class _Answer(msgspec.Struct):
    report: Report | None = None
    notes: list[str] = []
    error: _Error | None = None


async def ask_time_machine(*arguments: str | Path | float, say: Callable[[str], None]) -> Report:
    """The report of one verb; raises `CommandError` with what the time machine says."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pointsman.time_machine", *map(str, arguments)),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    try:
        answer = msgspec.json.decode(output, type=_Answer)
    except msgspec.DecodeError:
        answer = _Answer()
    if answer.error is not None:
        raise CommandError(
            answer.error.message,
            code=answer.error.code,
            exit_code=ExitCode.FAILURE,
            next_step=answer.error.next_step,
        )
    if answer.report is None:
        raise CommandError(
            f"the time machine ended with status {process.returncode} and no report",
            code="time_machine_failed",
            exit_code=ExitCode.FAILURE,
            next_step="its last lines above say why",
        )
    for note in answer.notes:
        say(note)
    return answer.report
