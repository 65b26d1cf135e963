"""Published traces of language-model services as our traces.

They tell when a request came and how many tokens it had, not how long it ran nor which model it was
for: the run time is computed from the tokens with the given rates, the model is the one that is
named.
"""

import csv
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple, cast

from pointsman.time_machine.traces import TracedTask, TraceError

COMPUTED: Final = "service_s was computed from token counts and the given rates, not measured"


@dataclass(frozen=True, slots=True)
class Served:
    """What the trace does not say."""

    model: str
    input_tokens_per_s: float = 4_000.0
    output_tokens_per_s: float = 40.0


class _Request(NamedTuple):
    at_s: float
    input_tokens: int
    output_tokens: int


def convert(layout: str, lines: Iterable[str], served: Served) -> list[TracedTask]:
    """Tasks in order of arrival, the first at 0; raises `TraceError`."""
    requests = sorted(LAYOUTS[layout](lines), key=lambda request: request.at_s)
    if not requests:
        raise TraceError(
            "there is no request", code="trace_empty", line=1, next_step="give at least one request"
        )
    begin_s = requests[0].at_s
    return [
        TracedTask(
            number=number,
            arrival_s=request.at_s - begin_s,
            model=served.model,
            service_s=request.input_tokens / served.input_tokens_per_s
            + request.output_tokens / served.output_tokens_per_s,
            input_tokens=request.input_tokens,
            output_tokens=request.output_tokens,
        )
        for number, request in enumerate(requests)
    ]


def _azure(lines: Iterable[str]) -> Iterator[_Request]:
    """CSV with `TIMESTAMP,ContextTokens,GeneratedTokens`."""
    rows = csv.DictReader(lines)
    for row in rows:
        fields = _Fields(row, rows.line_num, "TIMESTAMP,ContextTokens,GeneratedTokens")
        at_s = fields.read("TIMESTAMP", _moment)
        yield _Request(at_s, fields.tokens("ContextTokens"), fields.tokens("GeneratedTokens"))


def _moment(text: str) -> float:
    moment = datetime.fromisoformat(text.strip())
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()


def _mooncake(lines: Iterable[str]) -> Iterator[_Request]:
    """JSON lines with `timestamp` in milliseconds, `input_length` and `output_length`."""
    wanted = "timestamp, input_length, output_length"
    for line, text in enumerate(lines, start=1):
        if not text.strip():
            continue
        try:
            row = json.loads(text)
        except ValueError:
            raise _unreadable(line, "it is not JSON", wanted) from None
        if not isinstance(row, dict):
            raise _unreadable(line, "it is no JSON object", wanted)
        fields = _Fields(cast("dict[str, Any]", row), line, wanted)
        at_s = fields.read("timestamp", float) / 1000
        yield _Request(at_s, fields.tokens("input_length"), fields.tokens("output_length"))


class _Fields:
    """One request as it was published."""

    def __init__(self, row: Mapping[str, Any], line: int, wanted: str) -> None:
        self._row = row
        self._line = line
        self._wanted = wanted

    def read(self, name: str, reading: Callable[[Any], float]) -> float:
        """A finite number, as `reading` makes it of the field."""
        value = self._row.get(name)
        if value is None:
            raise _unreadable(self._line, f"{name} is missing", self._wanted)
        try:
            number = float(reading(value))
        except (ArithmeticError, AttributeError, TypeError, ValueError):
            number = math.nan
        if not math.isfinite(number):
            raise _unreadable(self._line, f"{name} is {value!r}", self._wanted)
        return number

    def tokens(self, name: str) -> int:
        """A whole number, 0 or more."""
        tokens = self.read(name, int)
        if tokens < 0:
            raise _unreadable(self._line, f"{name} is {tokens:.15g}", self._wanted)
        return int(tokens)


def _unreadable(line: int, what: str, wanted: str) -> TraceError:
    return TraceError(
        what,
        code="trace_value",
        line=line,
        next_step=f"each line needs {wanted}; is --from right?",
    )


LAYOUTS: Final[dict[str, Callable[[Iterable[str]], Iterator[_Request]]]] = {
    "azure": _azure,
    "mooncake": _mooncake,
}
