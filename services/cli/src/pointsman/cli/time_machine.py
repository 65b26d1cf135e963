"""Asks the time machine: a process of its own that prints one JSON document and ends."""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec

from pointsman.cli.failures import CommandError, ExitCode

Report = dict[str, Any]

_EXIT_CODES: Final = {
    "before_log": ExitCode.USAGE,
    "beyond_log": ExitCode.USAGE,
    "empty_span": ExitCode.USAGE,
    "fleet_memory": ExitCode.USAGE,
    "pool_unclear": ExitCode.USAGE,
    "log_empty": ExitCode.NOT_FOUND,
    "no_load": ExitCode.NOT_FOUND,
    "no_such_device": ExitCode.NOT_FOUND,
    "no_such_pool": ExitCode.NOT_FOUND,
    "not_a_file": ExitCode.USAGE,
    "not_permitted": ExitCode.NOT_PERMITTED,
    "policy_missing": ExitCode.NOT_FOUND,
    "policy_sizes": ExitCode.USAGE,
    "policy_slots": ExitCode.USAGE,
    "trace_missing": ExitCode.NOT_FOUND,
}


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
            exit_code=_EXIT_CODES.get(answer.error.code, ExitCode.FAILURE),
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
