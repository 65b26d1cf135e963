"""Traces: who asked for which model when, and how long it took; one CSV line per task."""

import csv
from collections.abc import Iterator, Sequence
from typing import Final, TextIO

import msgspec

from pointsman.contracts.message import PriorityClass

LOAD_S: Final = 22.0
"""What a load takes where the trace does not say: the median of a production fleet is 22.7 s."""

REQUIRED: Final = ("arrival_s", "model", "service_s")
OPTIONAL: Final = ("tenant", "class", "deadline_s", "load_s", "input_tokens", "output_tokens")
SIZES: Final = ("devices_per_instance", "memory_mib")
"""Optional as well, and written only where a model needs more than one device, or memory is known.
"""
COLUMNS: Final = (*REQUIRED, *OPTIONAL, *SIZES)


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
    devices_per_instance: int = 1
    """Devices that one loaded copy of its model takes; all tasks of a model say the same."""
    memory_mib: float = 0.0
    """Of one loaded copy of its model; 0: not known, so that it fits everywhere."""

    @property
    def part_mib(self) -> float:
        """Of the part that one device takes."""
        return self.memory_mib / self.devices_per_instance


class TraceError(Exception):
    """A trace cannot be read; whoever made it must correct the line (0: the file as a whole).

    `code` is stable.
    """

    def __init__(self, message: str, *, code: str, line: int, next_step: str) -> None:
        super().__init__(f"line {line}: {message}" if line else message)
        self.code = code
        self.line = line
        self.next_step = next_step


def write_trace(tasks: Sequence[TracedTask], out: TextIO) -> None:
    """Write tasks as `read_trace` reads them."""
    rows = csv.writer(out, lineterminator="\n")
    sized = any(task.memory_mib or task.devices_per_instance > 1 for task in tasks)
    rows.writerow(COLUMNS if sized else (*REQUIRED, *OPTIONAL))
    for task in tasks:
        rows.writerow((*_fields(task), *_sizes(task)) if sized else _fields(task))


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


def _sizes(task: TracedTask) -> Iterator[object]:
    yield task.devices_per_instance
    yield f"{task.memory_mib:g}"
