"""What commands print: data on stdout (a table, JSON or JSON lines), words on stderr."""

import contextlib
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final, NamedTuple, TextIO, cast

from pointsman.cli.failures import CommandError

Document = Mapping[str, object]


class OutputFormat(StrEnum):
    """`json` is one stable document, `jsonl` one line per item."""

    TABLE = "table"
    JSON = "json"
    JSONL = "jsonl"


class Column(NamedTuple):
    """A column of a table: its heading and the text of a row's cell."""

    title: str
    text: Callable[[Document], str]


def column(
    title: str, key: str | None = None, text: Callable[[object], str] | None = None
) -> Column:
    """A column that shows one field, as it is unless `text` writes it; `-` without a value."""
    name = key or title
    write = text or plain

    def cell(row: Document) -> str:
        return write(row.get(name))

    return Column(title, cell)


def plain(value: object) -> str:
    """A value as people read it."""
    if value is None or value in ("", (), {}):
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        text = f"{value:.3f}".rstrip("0").rstrip(".")
        # What is not quite nothing, or not quite all, is not told as that.
        return f"{Decimal(f'{value:.6g}'):f}" if text in {"0", "-0", "1"} else text
    if isinstance(value, list | tuple):
        return ", ".join(plain(item) for item in cast("Sequence[object]", value))
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else str(value)


def counted(count: int, noun: str) -> str:
    """A number of things: "1 task", "2 tasks"; for nouns that take an s."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


_EXACT: Final = 999.5
"""From here on three figures are fewer than stand before the point."""


def figures(value: float) -> str:
    """A number as people write it: three figures, or all before the point, and no exponent."""
    return f"{Decimal(f'{value:.3g}'):f}" if abs(value) < _EXACT else f"{value:.0f}"


def seconds(value: object) -> str:
    """A duration with a unit that fits it."""
    if not isinstance(value, int | float):
        return "-"
    milliseconds = value * 1000
    return f"{figures(milliseconds)} ms" if milliseconds < _EXACT else f"{figures(value)} s"


def share(value: object) -> str:
    """A share of a whole; one that is neither all nor nothing is not told as that."""
    if not isinstance(value, int | float):
        return "-"
    if round(value, 2) not in {0, 1} or value in {0, 1}:
        return f"{value:.0%}"
    return f"{min(max(value, 0.001), 0.999):.1%}" if 0 < value < 1 else f"{value:.1%}"


def clock(value: object, *, today: date | None = None) -> str:
    """Seconds since the epoch as a time of day, UTC; with its date unless that is `today`."""
    if not isinstance(value, int | float):
        return "-"
    moment = datetime.fromtimestamp(value, tz=UTC)
    if moment.date() == (today or datetime.now(tz=UTC).date()):
        return moment.strftime("%H:%M:%S.%f")[:-3]
    return moment.strftime("%Y-%m-%d %H:%M:%S")


class Printer:
    """Prints the data of one command; `stdout` and `stderr` are open text files."""

    def __init__(
        self, output: OutputFormat, *, stdout: TextIO | None = None, stderr: TextIO | None = None
    ) -> None:
        self.output = output
        self._stdout = stdout or sys.stdout
        self._stderr = stderr or sys.stderr
        self._streamed = 0

    @property
    def for_people(self) -> bool:
        """Whether somebody reads this, not a program."""
        return self.output is OutputFormat.TABLE

    def say(self, text: str) -> None:
        """A message about the work, not a part of its result; nobody has to be there to read it."""
        with contextlib.suppress(OSError):
            self._stderr.write(f"{text}\n")
            self._stderr.flush()

    def line(self, text: str) -> None:
        """One line of text for people; nothing for programs."""
        if self.for_people:
            self._write(text)

    def rows(self, rows: Sequence[Document], columns: Sequence[Column]) -> None:
        """A list: a table, one JSON array, or one line per row."""
        if self.output is OutputFormat.JSON:
            self._write(json.dumps(list(rows), indent=2, ensure_ascii=False))
        elif self.output is OutputFormat.JSONL:
            for row in rows:
                self._write(_line(row))
        elif self._stdout.isatty():
            self._rich_table(rows, columns)
        else:
            self._plain_table(rows, columns)

    def item(self, document: Document, text: str | None = None) -> None:
        """One thing: `text` or its fields for people, one JSON document otherwise."""
        if self.output is OutputFormat.JSON:
            self._write(json.dumps(document, indent=2, ensure_ascii=False))
        elif self.output is OutputFormat.JSONL:
            self._write(_line(document))
        elif text is not None:
            self._write(text)
        else:
            width = max((len(name) for name in document), default=0)
            for name, value in document.items():
                shown = plain(value)
                if isinstance(value, dict) and value:
                    nested = cast("dict[str, object]", value)
                    shown = json.dumps(nested, indent=2, ensure_ascii=False)
                self._write(f"{name:<{width}}  {shown}")

    def stream(self, document: Document, text: str) -> None:
        """The next item of a list whose end is not known; `end_stream` closes it."""
        if self.output is OutputFormat.JSON:
            self._write(("," if self._streamed else "[") + "\n" + _line(document))
        else:
            self._write(_line(document) if self.output is OutputFormat.JSONL else text)
        self._streamed += 1

    def piece(self, text: str) -> None:
        """A part of a text that grows while people read it; nothing for programs."""
        if self.for_people:
            self._stdout.write(text)
            self._stdout.flush()

    def end_stream(self) -> None:
        """Make what was streamed a whole document."""
        if self.output is OutputFormat.JSON:
            self._write("]" if self._streamed else "[]")

    def error(self, error: CommandError) -> None:
        """Words on stderr for people, one envelope on stdout for programs."""
        if self.for_people:
            self.say(f"error: {error.message} [{error.code}]")
            if error.next_step:
                self.say(f"       {error.next_step}")
            return
        envelope = {"code": error.code, "message": error.message, "next": error.next_step}
        self._write(_line({"error": envelope}))

    def _write(self, text: str) -> None:
        self._stdout.write(f"{text}\n")
        self._stdout.flush()

    def _plain_table(self, rows: Sequence[Document], columns: Sequence[Column]) -> None:
        table = [[column.title.upper() for column in columns]]
        table += [[_single_line(column.text(row)) for column in columns] for row in rows]
        widths = [max(map(len, cells)) for cells in zip(*table, strict=True)]
        for cells in table:
            aligned = (f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True))
            self._write("  ".join(aligned).rstrip())

    def _rich_table(self, rows: Sequence[Document], columns: Sequence[Column]) -> None:
        # A twentieth of a second that only a terminal needs.
        from rich.console import Console  # noqa: PLC0415 - see above
        from rich.table import Table  # noqa: PLC0415 - see above
        from rich.text import Text  # noqa: PLC0415 - see above

        table = Table(box=None, pad_edge=False, header_style="bold")
        for each in columns:
            table.add_column(each.title.upper(), overflow="fold")
        for row in rows:
            table.add_row(*(Text(_single_line(each.text(row))) for each in columns))
        Console(file=self._stdout).print(table)


def _line(document: object) -> str:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def _single_line(text: str) -> str:
    return " ".join(text.split())
