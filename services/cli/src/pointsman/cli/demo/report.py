"""How a demo run is told to people."""

from collections.abc import Iterator
from typing import Final

from pointsman.cli.demo.messages import Case
from pointsman.cli.demo.run import DemoReport
from pointsman.cli.output import Document, Printer, column, counted, seconds
from pointsman.contracts.queries import TaskRow

_COLUMNS: Final = (
    column("#", "number"),
    column("text"),
    column("tenant"),
    column("family"),
    column("class", "priority_class"),
    column("outcome"),
    column("model"),
    column("tries", "attempts"),
    column("waited", "queue_s", seconds),
    column("ran", "run_s", seconds),
    column("result"),
)
_TEXT_CHARS: Final = 32
_RESULT_CHARS: Final = 40


def tell(printer: Printer, report: DemoReport) -> None:
    """A table of results, one history in sentences, and the counts."""
    outcome = report.outcome
    printer.rows(list(_rows(report)), _COLUMNS)
    printer.line("")
    for letter in report.dead_letters:
        printer.line(f"dead letter {letter.message_id} of {letter.tenant}: {letter.detail}")
    printer.line("")
    printer.line("Why, for the task with the longest history:")
    for sentence in outcome.why.splitlines():
        printer.line(f"  {sentence}")
    printer.line("")
    printer.line(
        f"{counted(outcome.submitted, 'message')} = {outcome.completed} completed "
        f"+ {outcome.expired} expired + {outcome.rejected} rejected "
        f"+ {counted(outcome.duplicates, 'duplicate')} + {outcome.failed} failed"
    )
    printer.line(
        f"read back from the log: {counted(outcome.events, 'event')}, "
        f"{counted(outcome.lost, 'task')} lost, "
        f"{counted(outcome.duplicate_results, 'result')} twice"
    )
    version = outcome.triton_version
    engine = f"Triton {version}" if version else "no Triton, the stand-in answered"
    printer.line(f"{engine}; nats-server {outcome.nats_version}; {outcome.seconds:g} s in all")


def _rows(report: DemoReport) -> Iterator[Document]:
    for message in report.messages:
        row = report.rows.get(report.tasks.get(message.event_id, ""))
        shown: dict[str, object] = {
            "number": message.number + 1,
            "text": _short(message.text.name, _TEXT_CHARS),
            "tenant": message.tenant,
            "family": message.data["family"],
            "priority_class": message.data["priority_class"],
        }
        if message.case is Case.DUPLICATE:
            yield {**shown, "outcome": "duplicate: not run again"}
        elif row is None:
            yield {**shown, "outcome": "rejected: a dead letter"}
        else:
            yield {**shown, **_result(report, row)}


def _result(report: DemoReport, row: TaskRow) -> Document:
    text = report.results.get(str(row.task))
    if text is None and row.result is not None:
        text = f"{row.result.size} bytes, {row.result.media_type.rpartition('.')[2]}"
    code = row.code if row.code not in {None, row.state} else None
    return {
        "outcome": row.state + (f": {code}" if code else ""),
        "model": row.variant,
        "attempts": row.attempts,
        "queue_s": row.queue_s,
        "run_s": row.run_s,
        "result": _short(text or "", _RESULT_CHARS),
    }


def _short(text: str, chars: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= chars else f"{line[: chars - 1]}…"
