"""How the demo of the services is told to people."""

from pointsman.cli.output import Printer, counted
from pointsman.cli.services_demo.run import OVERLOAD, ServicesReport


def tell(printer: Printer, report: ServicesReport) -> None:
    """What happened in each part, with the history of one task of it."""
    talk, overload, turned = report.talk, report.overload, report.turned
    printer.line(
        f"Conversation {talk.name}: of the earlier turns the third kept {_list(talk.kept)}, "
        f"dropped {_list(talk.dropped)}; "
        + (f"its answer uses the first: {talk.shared!r}" if talk.reused else "nothing was reused")
    )
    _why(printer, talk.why)
    printer.line(
        f"Overload: {overload.sent.count} long texts at {OVERLOAD:g} times "
        f"{overload.capacity_per_s:g}/s; levels {' > '.join(overload.levels)}; "
        f"{overload.degraded} served by a smaller variant, {overload.missed} not in time; "
        f"{counted(overload.alerts_raised, 'alert')} raised, {overload.alerts_cleared} cleared; "
        f"back to the best after {overload.back_to_best_s} s"
    )
    _why(printer, overload.why)
    printer.line(
        f"Ratings: {turned.ratings} of them turned the preference from {turned.before} to "
        f"{turned.after}, and were withdrawn again"
    )
    _why(printer, turned.why)
    printer.line(
        f"read back from the log: {report.lost} tasks lost, {report.duplicate_results} results "
        "twice"
    )


def _why(printer: Printer, why: str) -> None:
    for sentence in why.splitlines():
        printer.line(f"  {sentence}")
    printer.line("")


def _list(turns: tuple[int, ...]) -> str:
    return ", ".join(map(str, turns)) or "none"
