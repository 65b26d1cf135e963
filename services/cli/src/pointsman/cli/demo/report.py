"""How a demo run is told to people."""

from collections.abc import Iterator, Sequence
from typing import Final

from pointsman.cli.demo.messages import Case, PlannedMessage
from pointsman.cli.demo.outcome import Outcome
from pointsman.cli.demo.run import DemoRun
from pointsman.cli.output import Document, Printer, column, seconds

_COLUMNS: Final = (
    column("#", "number"),
    column("text"),
    column("tenant"),
    column("family"),
    column("class", "priority_class"),
    column("outcome"),
    column("model"),
    column("attempts"),
    column("waited", "queue_s", seconds),
    column("ran", "run_s", seconds),
)


def tell(printer: Printer, run: DemoRun, outcome: Outcome) -> None:
    """A table of results, one history in sentences, and the counts."""
    printer.rows(list(_rows(run, run.messages)), _COLUMNS)
    printer.line("")
    printer.line("Why, for the task with the longest history:")
    for sentence in outcome.why.splitlines():
        printer.line(f"  {sentence}")
    printer.line("")
    printer.line(
        f"{outcome.submitted} messages = {outcome.completed} completed + {outcome.expired} expired "
        f"+ {outcome.rejected} rejected + {outcome.duplicates} duplicates + {outcome.failed} failed"
    )
    printer.line(
        f"read back from the log: {outcome.events} events, {outcome.lost} tasks lost, "
        f"{outcome.duplicate_results} results twice"
    )
    engine = (
        f"Triton {outcome.triton_version}" if outcome.triton_version else "no Triton (stand-in)"
    )
    printer.line(f"{engine}, nats-server {outcome.nats_version}, {outcome.seconds:g} s in all")


def _rows(run: DemoRun, messages: Sequence[PlannedMessage]) -> Iterator[Document]:
    for message in messages:
        row = run.rows.get(run.answers.tasks.get(message.event_id, ""))
        shown: dict[str, object] = {
            "number": message.number + 1,
            "text": message.text.name,
            "tenant": message.tenant,
            "family": message.data["family"],
            "priority_class": message.data["priority_class"],
        }
        if message.case is Case.DUPLICATE:
            yield {**shown, "outcome": "duplicate, not run again"}
        elif row is None:
            yield {**shown, "outcome": "rejected, see dead ls"}
        else:
            yield {
                **shown,
                "outcome": row.state + (f" ({row.code})" if row.code else ""),
                "model": row.variant,
                "attempts": row.attempts,
                "queue_s": row.queue_s,
                "run_s": row.run_s,
            }
