"""Traces: who asked for which model when, and how long it took; one CSV line per task."""

import csv
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, TextIO

import msgspec

from pointsman.contracts.message import PriorityClass

LOAD_S: Final = 22.0
"""What a load takes where the trace does not say: the median of a production fleet is 22.7 s."""

REQUIRED: Final = ("arrival_s", "model", "service_s")
OPTIONAL: Final = ("tenant", "class", "deadline_s", "load_s", "input_tokens", "output_tokens")


class TracedTask(msgspec.Struct, frozen=True, gc=False):
    """One task of a trace; times are seconds from the beginning of the trace."""

    number: int
    """Its place in the trace, from 0."""
    arrival_s: float
    model: str
    service_s: float
    """How long its run takes."""
    tenant: str = "default"
    priority_class: PriorityClass = PriorityClass.STANDARD
    deadline_s: float | None = None
    """When its result is of no use any more."""
    load_s: float = LOAD_S
    """How long its model takes to load."""
    input_tokens: int = 0
    output_tokens: int = 0


class TraceError(Exception):
    """A trace cannot be read; whoever made it must correct the line (0: the file as a whole).

    `code` is stable.
    """

    def __init__(self, message: str, *, code: str, line: int, next_step: str) -> None:
        super().__init__(f"line {line}: {message}" if line else message)
        self.code = code
        self.line = line
        self.next_step = next_step


def read_trace(text: Iterable[str]) -> list[TracedTask]:
    """All tasks of a trace; raises `TraceError`."""
    rows = csv.reader(text)
    header = [name.strip() for name in next(rows, list[str]())]
    _check_header(header)
    tasks: list[TracedTask] = []
    before_s = 0.0
    for row in rows:
        if not row:
            continue
        line = rows.line_num
        if len(row) != len(header):
            raise TraceError(
                f"{len(row)} fields where the header has {len(header)}",
                code="trace_fields",
                line=line,
                next_step="give every line one field per column",
            )
        task = _Row(dict(zip(header, row, strict=True)), line).task(len(tasks))
        if task.arrival_s < before_s:
            raise TraceError(
                f"arrival_s {task.arrival_s:g} comes after {before_s:g}",
                code="trace_unsorted",
                line=line,
                next_step="sort the lines by arrival_s",
            )
        before_s = task.arrival_s
        tasks.append(task)
    if not tasks:
        raise TraceError(
            "there is no task", code="trace_empty", line=1, next_step="give at least one task"
        )
    return tasks


def write_trace(tasks: Iterable[TracedTask], out: TextIO) -> None:
    """Write tasks as `read_trace` reads them."""
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow((*REQUIRED, *OPTIONAL))
    for task in tasks:
        rows.writerow(_fields(task))


def _fields(task: TracedTask) -> Iterator[object]:
    # Microseconds; more digits say nothing and make the file half as large again.
    yield f"{task.arrival_s:.6f}"
    yield task.model
    yield f"{task.service_s:.6f}"
    yield task.tenant
    yield task.priority_class.value
    yield "" if task.deadline_s is None else f"{task.deadline_s:.6f}"
    yield f"{task.load_s:.6f}"
    yield task.input_tokens
    yield task.output_tokens


def _check_header(header: list[str]) -> None:
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
            next_step=f"name the columns {','.join(REQUIRED)} in the first line",
        )
    unknown = [name for name in header if name not in (*REQUIRED, *OPTIONAL)]
    if unknown or len(set(header)) != len(header):
        raise TraceError(
            f"unknown or repeated column {', '.join(unknown) or ', '.join(header)}",
            code="trace_column_unknown",
            line=1,
            next_step=f"besides the required ones there are {','.join(OPTIONAL)}",
        )


class _Row:
    """The fields of one line by column."""

    def __init__(self, fields: Mapping[str, str], line: int) -> None:
        self._fields = fields
        self._line = line

    def task(self, number: int) -> TracedTask:
        model = self._text("model", "")
        if not model:
            raise self._bad("model", "a name")
        deadline_s = self._number("deadline_s", default=math.inf)
        return TracedTask(
            number=number,
            arrival_s=self._number("arrival_s"),
            model=model,
            service_s=self._number("service_s"),
            tenant=self._text("tenant", "default"),
            priority_class=self._priority_class(),
            deadline_s=None if math.isinf(deadline_s) else deadline_s,
            load_s=self._number("load_s", default=LOAD_S),
            input_tokens=self._count("input_tokens"),
            output_tokens=self._count("output_tokens"),
        )

    def _text(self, name: str, default: str) -> str:
        return self._fields.get(name, "").strip() or default

    def _number(self, name: str, default: float | None = None) -> float:
        text = self._text(name, "")
        if not text and default is not None:
            return default
        try:
            number = float(text)
        except ValueError:
            raise self._bad(name, "a number of seconds") from None
        if not math.isfinite(number) or number < 0:
            raise self._bad(name, "a number of seconds, 0 or more")
        return number

    def _count(self, name: str) -> int:
        text = self._text(name, "0")
        if not text.isascii() or not text.isdigit():
            raise self._bad(name, "a whole number")
        return int(text)

    def _priority_class(self) -> PriorityClass:
        text = self._text("class", PriorityClass.STANDARD)
        try:
            return PriorityClass(text)
        except ValueError:
            raise self._bad("class", f"one of {', '.join(PriorityClass)}") from None

    def _bad(self, name: str, wanted: str) -> TraceError:
        return TraceError(
            f"{name} is {self._text(name, '')!r}",
            code="trace_value",
            line=self._line,
            next_step=f"{name} must be {wanted}",
        )
