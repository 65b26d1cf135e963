"""What commands print, for people and for programs."""

import io
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.cli.failures import CommandError, ExitCode
from pointsman.cli.output import (
    Document,
    OutputFormat,
    Printer,
    clock,
    column,
    counted,
    figures,
    plain,
    seconds,
    share,
)

ROWS: list[Document] = [
    {"task": "a", "state": "completed", "note": "two\nlines"},
    {"task": "longer", "state": "failed", "note": None},
]
COLUMNS = (column("task"), column("state"), column("remark", "note"))
ERROR = CommandError("not there", code="no_such_task", exit_code=ExitCode.NOT_FOUND, next_step="ls")


class Screen:
    """A printer whose output can be read."""

    def __init__(self, output: OutputFormat) -> None:
        self.out = io.StringIO()
        self.err = io.StringIO()
        self.printer = Printer(output, stdout=self.out, stderr=self.err)

    @property
    def text(self) -> str:
        return self.out.getvalue()


def test_a_table_is_plain_and_aligned_where_nobody_watches() -> None:
    screen = Screen(OutputFormat.TABLE)

    screen.printer.rows(ROWS, COLUMNS)

    assert screen.text.splitlines() == [
        "TASK    STATE      REMARK",
        "a       completed  two lines",
        "longer  failed     -",
    ]


def test_json_is_one_document_with_every_field() -> None:
    screen = Screen(OutputFormat.JSON)

    screen.printer.rows(ROWS, COLUMNS)

    assert json.loads(screen.text) == ROWS


def test_jsonl_is_one_line_per_item() -> None:
    screen = Screen(OutputFormat.JSONL)

    screen.printer.rows(ROWS, COLUMNS)

    assert [json.loads(line) for line in screen.text.splitlines()] == ROWS


@pytest.mark.parametrize(
    ("output", "text"),
    [
        (OutputFormat.TABLE, "TASK  STATE  REMARK\n"),
        (OutputFormat.JSON, "[]\n"),
        (OutputFormat.JSONL, ""),
    ],
)
def test_an_empty_list_is_still_a_list(output: OutputFormat, text: str) -> None:
    screen = Screen(output)

    screen.printer.rows([], COLUMNS)

    assert screen.text == text


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a_stream_becomes_one_json_document(count: int) -> None:
    screen = Screen(OutputFormat.JSON)

    for number in range(count):
        screen.printer.stream({"number": number}, "unused")
    screen.printer.end_stream()

    assert json.loads(screen.text) == [{"number": number} for number in range(count)]


def test_an_error_is_words_on_stderr_for_people() -> None:
    screen = Screen(OutputFormat.TABLE)

    screen.printer.error(ERROR)

    assert screen.text == ""
    assert screen.err.getvalue() == "error: not there [no_such_task]\n       ls\n"


@pytest.mark.parametrize("output", [OutputFormat.JSON, OutputFormat.JSONL])
def test_an_error_is_an_envelope_for_programs(output: OutputFormat) -> None:
    screen = Screen(output)

    screen.printer.error(ERROR)

    assert json.loads(screen.text) == {
        "error": {"code": "no_such_task", "message": "not there", "next": "ls"}
    }


def test_words_for_people_never_mix_with_documents() -> None:
    screen = Screen(OutputFormat.JSON)

    screen.printer.say("working")
    screen.printer.line("a sentence")
    screen.printer.item({"a": 1}, "text for people")

    assert json.loads(screen.text) == {"a": 1}
    assert screen.err.getvalue() == "working\n"


def test_a_message_that_nobody_can_read_does_not_end_the_work() -> None:
    class Gone(io.StringIO):
        def write(self, _text: str, /) -> int:
            raise BrokenPipeError

    Printer(OutputFormat.TABLE, stderr=Gone()).say("anybody there?")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        *((None, "-"), ("", "-"), (True, "yes"), (0, "0"), (1.5, "1.5"), (("a", "b"), "a, b")),
        *((0.0, "0"), (1.0, "1"), (0.9996, "0.9996"), (0.0004, "0.0004"), (2.00001, "2")),
    ],
)
def test_values_are_written_for_reading(value: object, text: str) -> None:
    assert plain(value) == text


@given(st.floats(min_value=0, max_value=1e6, allow_nan=False))
def test_a_duration_always_has_a_unit(value: float) -> None:
    assert seconds(value).endswith((" ms", " s"))


@given(st.floats(min_value=0, max_value=1e12, allow_nan=False))
def test_no_number_has_an_exponent(value: float) -> None:
    assert "e" not in figures(value)
    assert "e" not in seconds(value).removesuffix("s").lower()


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.99961, "1 s"),
        (0.25, "250 ms"),
        (999.7, "1000 s"),
        (1_034.2, "1034 s"),
        (0.000_000_004, "0.000004 ms"),
    ],
)
def test_a_duration_is_told_in_three_figures_or_whole(value: float, text: str) -> None:
    assert seconds(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0%"),
        (1.0, "100%"),
        (0.5, "50%"),
        (0.996, "99.6%"),
        (0.9999, "99.9%"),
        (0.004, "0.4%"),
        (0.00001, "0.1%"),
        (1.5, "150%"),
        (None, "-"),
    ],
)
def test_a_share_that_is_neither_all_nor_nothing_is_not_told_as_that(
    value: object, text: str
) -> None:
    assert share(value) == text


def test_a_duration_that_is_not_known_is_a_dash() -> None:
    assert seconds(None) == "-"


def test_a_time_of_another_day_has_its_date() -> None:
    moment = datetime(2026, 1, 31, 12, 30, 5, 250_000, tzinfo=UTC)

    assert clock(moment.timestamp(), today=moment.date()) == "12:30:05.250"
    assert clock(moment.timestamp(), today=moment.replace(day=30).date()) == "2026-01-31 12:30:05"


def test_a_nested_document_is_written_as_json_for_people_too() -> None:
    screen = Screen(OutputFormat.TABLE)

    screen.printer.item({"position": 3, "data": {"code": None}})

    assert screen.text == 'position  3\ndata      {\n  "code": null\n}\n'


@pytest.mark.parametrize(("count", "text"), [(0, "0 tasks"), (1, "1 task"), (2, "2 tasks")])
def test_one_thing_is_told_as_one(count: int, text: str) -> None:
    assert counted(count, "task") == text
