"""Published traces of language-model services as our traces.

They tell when a request came and how many tokens it had, not how long it ran nor which model it was
for: the run time is computed from the tokens with the given rates, the model is the one that is
named.
"""

import csv
import json
import math
from collections.abc import Callable, Iterable, Iterator
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
        line = rows.line_num
        try:
            at_s = _moment(row["TIMESTAMP"])
            yield _request(at_s, row["ContextTokens"], row["GeneratedTokens"])
        except (KeyError, TypeError, ValueError) as error:
            raise _unreadable(line, "TIMESTAMP,ContextTokens,GeneratedTokens", error) from None


def _moment(text: str) -> float:
    moment = datetime.fromisoformat(text.strip())
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()


def _mooncake(lines: Iterable[str]) -> Iterator[_Request]:
    """JSON lines with `timestamp` in milliseconds, `input_length` and `output_length`."""
    for line, text in enumerate(lines, start=1):
        if not text.strip():
            continue
        try:
            row = cast("dict[str, Any]", json.loads(text))
            at_s = float(row["timestamp"]) / 1000
            yield _request(at_s, row["input_length"], row["output_length"])
        except (KeyError, TypeError, ValueError) as error:
            raise _unreadable(line, "timestamp, input_length, output_length", error) from None


def _request(at_s: float, input_tokens: str | int, output_tokens: str | int) -> _Request:
    request = _Request(at_s, int(input_tokens), int(output_tokens))
    if not math.isfinite(at_s) or min(request) < 0:
        raise ValueError("times and tokens are numbers, 0 or more")
    return request


def _unreadable(line: int, wanted: str, error: Exception) -> TraceError:
    return TraceError(
        f"{type(error).__name__}: {error}",
        code="trace_value",
        line=line,
        next_step=f"each line needs {wanted}; is --format right?",
    )


LAYOUTS: Final[dict[str, Callable[[Iterable[str]], Iterator[_Request]]]] = {
    "azure": _azure,
    "mooncake": _mooncake,
}
