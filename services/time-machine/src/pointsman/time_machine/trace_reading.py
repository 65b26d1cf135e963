"""Traces from CSV: each line is checked, and a wrong one is named with its column."""

import csv
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from sys import intern
from typing import Final

from pointsman.contracts.message import PriorityClass
from pointsman.time_machine.traces import COLUMNS, LOAD_S, REQUIRED, TracedTask, TraceError

_MOST_DIGITS: Final = 12
"""Of a count: more are a mistake, and thousands of them no number."""


def read_trace_file(path: Path) -> list[TracedTask]:
    """All tasks of a trace in a file; raises `TraceError` and `OSError`."""
    try:
        # With or without the mark that spreadsheets put first.
        with path.open(encoding="utf-8-sig", newline="") as lines:
            return read_trace(lines)
    except UnicodeDecodeError:
        raise TraceError(
            "its bytes are not UTF-8",
            code="trace_unreadable",
            line=_first_unreadable(path),
            next_step="save the file as UTF-8",
        ) from None


def read_trace(text: Iterable[str]) -> list[TracedTask]:
    """All tasks of a trace; raises `TraceError`."""
    lines = _rows(text)
    _, header = next(lines, (1, list[str]()))
    header = [name.strip() for name in header]
    _check_header(header)
    tasks: list[TracedTask] = []
    sizes: dict[str, tuple[int, TracedTask]] = {}
    before_s = 0.0
    for line, row in lines:
        if not row:
            continue
        task = _Row(header, row, line).task(len(tasks))
        if task.arrival_s < before_s:
            raise TraceError(
                f"arrival_s {task.arrival_s:.15g} comes after {before_s:.15g}",
                code="trace_unsorted",
                line=line,
                next_step="sort the lines by arrival_s",
            )
        _check_size(task, line, *sizes.setdefault(task.model, (line, task)))
        before_s = task.arrival_s
        tasks.append(task)
    if not tasks:
        raise TraceError(
            "there is no task", code="trace_empty", line=1, next_step="give at least one task"
        )
    return tasks


def _rows(text: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    """Rows, each with the line in which it begins."""
    rows = csv.reader(text, strict=True)
    line = 1
    try:
        for row in rows:
            yield line, row
            line = rows.line_num + 1
    except csv.Error as error:
        raise TraceError(
            f"it is not CSV: {error}",
            code="trace_fields",
            line=line,
            next_step="close every quotation mark, and double those inside a quoted field",
        ) from None


def _first_unreadable(path: Path) -> int:
    with path.open("rb") as lines:
        for line, raw in enumerate(lines, start=1):
            try:
                raw.decode("utf-8")
            except UnicodeDecodeError:
                return line
    return 0


def _check_header(header: Sequence[str]) -> None:
    if not header:
        raise TraceError(
            "the file is empty",
            code="trace_empty",
            line=1,
            next_step=f"begin with a header: {','.join(REQUIRED)}",
        )
    missing = [name for name in REQUIRED if name not in header]
    if missing:
        raise TraceError(
            f"the header lacks {', '.join(missing)}",
            code="trace_column_missing",
            line=1,
            next_step=f"name the columns in the first line: {','.join(REQUIRED)}",
        )
    for place, name in enumerate(header, start=1):
        if name not in COLUMNS or name in header[: place - 1]:
            raise TraceError(
                f"column {place}, {name!r}, is {'there twice' if name in COLUMNS else 'unknown'}",
                code="trace_column_unknown",
                line=1,
                next_step=f"a trace may have {','.join(COLUMNS)}, each once",
            )


def _check_size(task: TracedTask, line: int, first_line: int, first: TracedTask) -> None:
    for name in ("devices_per_instance", "memory_mib"):
        value, before = getattr(task, name), getattr(first, name)
        if value != before:
            raise TraceError(
                f"{name} of {task.model} is {value:.15g}, and {before:.15g} in line {first_line}",
                code="trace_value",
                line=line,
                next_step="give every task of a model the same",
            )


class _Row:
    """The fields of one line by column."""

    def __init__(self, header: Sequence[str], fields: Sequence[str], line: int) -> None:
        if len(fields) != len(header):
            raise _wrong_count(header, len(fields), line)
        self._header = header
        self._fields: Mapping[str, str] = dict(zip(header, fields, strict=True))
        self._line = line

    def task(self, number: int) -> TracedTask:
        arrival_s = self._number("arrival_s")
        return TracedTask(
            number=number,
            arrival_s=arrival_s,
            model=self._model(),
            service_s=self._number("service_s"),
            tenant=self._name("tenant", "default"),
            priority_class=self._priority_class(),
            deadline_s=self._deadline_s(arrival_s),
            load_s=self._number("load_s", default=LOAD_S),
            input_tokens=self._count("input_tokens"),
            output_tokens=self._count("output_tokens"),
            devices_per_instance=self._devices(),
            memory_mib=self._number("memory_mib", default=0.0, unit="MiB"),
        )

    def _text(self, name: str, default: str) -> str:
        return self._fields.get(name, "").strip() or default

    def _name(self, name: str, default: str) -> str:
        # One string for all tasks of a model: of a million each would have its own.
        return intern(self._text(name, default))

    def _model(self) -> str:
        model = self._name("model", "")
        if not model or not model.isprintable():
            raise self._bad("model", "a name")
        return model

    def _deadline_s(self, arrival_s: float) -> float | None:
        deadline_s = self._number("deadline_s", default=math.inf)
        if deadline_s < arrival_s:
            wanted = "seconds from the beginning of the trace, as arrival_s, and not before it"
            raise self._bad("deadline_s", wanted)
        return None if math.isinf(deadline_s) else deadline_s

    def _number(self, name: str, default: float | None = None, unit: str = "seconds") -> float:
        text = self._text(name, "")
        if not text and default is not None:
            return default
        try:
            number = float(text)
        except ValueError:
            raise self._bad(name, f"a number of {unit}") from None
        if not math.isfinite(number) or number < 0:
            raise self._bad(name, f"a number of {unit}, 0 or more")
        return number

    def _count(self, name: str, default: str = "0") -> int:
        text = self._text(name, default)
        if not text.isascii() or not text.isdigit() or len(text) > _MOST_DIGITS:
            raise self._bad(name, "a whole number")
        return int(text)

    def _devices(self) -> int:
        devices = self._count("devices_per_instance", "1")
        if not devices:
            raise self._bad("devices_per_instance", "1 or more")
        return devices

    def _priority_class(self) -> PriorityClass:
        text = self._text("class", PriorityClass.STANDARD)
        try:
            return PriorityClass(text)
        except ValueError:
            raise self._bad("class", f"one of {', '.join(PriorityClass)}") from None

    def _bad(self, name: str, wanted: str) -> TraceError:
        return TraceError(
            f"column {self._header.index(name) + 1}, {name}, is {self._text(name, '')!r}",
            code="trace_value",
            line=self._line,
            next_step=f"{name} must be {wanted}",
        )


def _wrong_count(header: Sequence[str], fields: int, line: int) -> TraceError:
    missing = header[fields:]
    what = f"{', '.join(missing)} is missing" if missing else f"{header[-1]} is the last"
    return TraceError(
        f"{fields} fields where the header has {len(header)}: {what}",
        code="trace_fields",
        line=line,
        next_step="give every line one field per column, and quote a field that has a comma",
    )
