"""A task on the screen, and its result in a file."""

import asyncio
import base64
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from pointsman.cli.client import StackClient
from pointsman.cli.documents import document
from pointsman.cli.failures import CommandError, ExitCode, file_status, why_not
from pointsman.cli.output import Printer
from pointsman.cli.results import ResultMissingError, read_result, text_of
from pointsman.cli.task_rows import COLUMNS, ended
from pointsman.contracts.parts import MAX_PARTS
from pointsman.contracts.queries import ListTasks, TaskRow

STDOUT: Final = Path("-")
"""Stands for standard output where a file may be named."""

_TITLE_WIDTH: Final = max(len(each.title) for each in COLUMNS)


async def show_task(
    printer: Printer, client: StackClient, row: TaskRow, result_to: Path | None = None
) -> None:
    """Print a task with its result, or write the bytes of the result to a file.

    On standard output the bytes stand alone. Raises `CommandError`.
    """
    if result_to is not None:
        await _write_result(client, row, result_to)
        if result_to == STDOUT:
            return
        printer.say(f"result written to {result_to}")
    content = await _content(printer, client, row)
    text = None
    if content is not None and row.result is not None:
        text = text_of(content, row.result.media_type)
    coded = None if content is None or text is not None else base64.b64encode(content).decode()
    parts = await _parts(client, row)
    if printer.for_people:
        _tell(printer, row, parts, None if result_to else text)
    else:
        shown = {**document(row), "result_text": text, "result_base64": coded}
        printer.item({**shown, "part_rows": [document(each) for each in parts]})


async def _parts(client: StackClient, row: TaskRow) -> list[TaskRow]:
    """The parts of a task in the order of its input."""
    if not row.parts:
        return []
    rows = await client.ask("tasks", ListTasks(parent=row.task, limit=MAX_PARTS), list[TaskRow])
    return sorted(rows, key=lambda each: each.part)


async def _content(printer: Printer, client: StackClient, row: TaskRow) -> bytes | None:
    if row.result is None:
        return None
    try:
        return await asyncio.to_thread(read_result, client.record.data, row.tenant, row.result)
    except ResultMissingError as error:
        printer.say(f"the result cannot be shown: {error}")
        return None


async def _write_result(client: StackClient, row: TaskRow, target: Path) -> None:
    if row.result is None:
        raise _without_result(row)
    try:
        content = await asyncio.to_thread(read_result, client.record.data, row.tenant, row.result)
    except ResultMissingError as error:
        raise CommandError(str(error), code=error.code, exit_code=ExitCode.FAILURE) from error
    try:
        if target == STDOUT:
            sys.stdout.buffer.write(content)
            sys.stdout.buffer.flush()
        else:
            await asyncio.to_thread(target.write_bytes, content)
    except OSError as error:
        raise CommandError(
            f"the result cannot be written to {target}: {why_not(error, named=target)}",
            code="result_unwritable",
            exit_code=file_status(error),
            next_step="name another file with --result",
        ) from error


def _without_result(row: TaskRow) -> CommandError:
    if ended(row):
        why = ": ".join(part for part in (row.code, row.detail) if part)
        return CommandError(
            f"task {row.task} has no result, it is {row.state}" + (f" ({why})" if why else ""),
            code="no_result",
            exit_code=ExitCode.TASK_FAILED,
            next_step=f"see why: pointsman task why {row.task}",
        )
    return CommandError(
        f"task {row.task} has no result yet, it is {row.state}",
        code="no_result",
        exit_code=ExitCode.NOT_FOUND,
        next_step=f"follow it: pointsman task watch {row.task}",
    )


def _progress(row: TaskRow) -> str:
    """How far the running attempt is, as its holder last told the leader."""
    far = "" if row.progress is None else f"{row.progress:.0%}"
    said = ", ".join(part for part in (far, row.progress_note) if part)
    return f"{said or 'alive'} ({row.silent_s or 0.0:.1f} s before the last renewal)"


def _tell(printer: Printer, row: TaskRow, parts: Sequence[TaskRow], text: str | None) -> None:
    shown = document(row)
    for each in COLUMNS:
        printer.line(f"{each.title:<{_TITLE_WIDTH}} {each.text(shown)}")
    if row.band:
        printer.line(f"{'band':<{_TITLE_WIDTH}} {row.band}")
    if row.domain:
        printer.line(f"{'routed':<{_TITLE_WIDTH}} as {row.domain}")
    if row.held:
        printer.line(f"{'held':<{_TITLE_WIDTH}} {row.held}")
    if row.silent_s is not None:
        printer.line(f"{'progress':<{_TITLE_WIDTH}} {_progress(row)}")
    if row.detail:
        printer.line(f"{'detail':<{_TITLE_WIDTH}} {row.detail}")
    for each in parts:
        name = f"part {each.part} of {row.parts}"
        said = (each.state, each.variant or "", each.code or "", str(each.task))
        printer.line(f"{name:<{_TITLE_WIDTH}} {' '.join(word for word in said if word)}")
    if text is not None:
        printer.line(f"result:\n{text}")
    elif row.result is not None:
        printer.line(f"result: {row.result.size} bytes of {row.result.media_type}")
