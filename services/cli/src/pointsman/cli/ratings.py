"""Ratings as people type them and read them."""

import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

from pointsman.cli.documents import document
from pointsman.cli.failures import InvalidOptionError
from pointsman.cli.output import Document, clock, column, plain
from pointsman.cli.results import ResultMissingError, read_text
from pointsman.contracts.feedback import (
    FeedbackReport,
    GiveFeedback,
    RatingKind,
    RatingRow,
    WithdrawFeedback,
)

_AGO: Final = re.compile(r"^(\d+(?:\.\d+)?)(s|m|h|d)$")
_UNIT_S: Final = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}

RATING_COLUMNS: Final = (
    column("rating"),
    column("at (UTC)", "at", clock),
    column("task"),
    column("family"),
    column("model", "variant"),
    column("kind"),
    column("value"),
    column("by"),
    column("withdrawn by", "withdrawn_by"),
)
TEXT_COLUMN: Final = column("comment", "text")

VARIANT_COLUMNS: Final = (
    column("family"),
    column("preferred"),
    column("model", "variant"),
    column("registry", "registered"),
    column("ratings"),
    column("mean"),
    column("low"),
    column("high"),
    column("threshold"),
)
POOL_COLUMNS: Final = (
    column("pool"),
    column("at (UTC)", "at", clock),
    column("tasks"),
    column("completed", "completion_rate"),
    column("quality", "average_quality"),
    column("efficiency", "resource_efficiency"),
    column("reuse", "context_reuse_rate"),
    column("boost s", "boost_s"),
    column("context pool", "context_pool_factor", lambda factor: f"x {plain(factor)}"),
)


def given(
    task: UUID, tenant: str, by: str, id_: str | None, words: str | None, *values: float | None
) -> GiveFeedback:
    """The command for what was typed: `values` is what was said by --good, --bad and --score.

    Raises `InvalidOptionError`.
    """
    said = [value for value in values if value is not None]
    if len(said) > 1 or (not said and not words):
        raise InvalidOptionError("give one of --good, --bad and --score, or a --comment alone")
    kind = RatingKind.COMMENT
    if said:
        kind = RatingKind.BOOLEAN if isinstance(said[0], bool) else RatingKind.SCORE
    return GiveFeedback(
        command_id=id_ or str(uuid4()),
        tenant=tenant,
        task=task,
        kind=kind,
        value=said[0] if said else None,
        comment=words,
        by=by,
    )


def check_words(option: str, words: str | None) -> None:
    """Raises `InvalidOptionError` for words that say nothing."""
    if words is not None and not words.strip():
        raise InvalidOptionError(f"{option} is empty: leave it out, or say something")


def check_choice(command: WithdrawFeedback, *, everything: bool) -> None:
    """Raises `InvalidOptionError`."""
    ways = [command.rating is not None, command.task is not None, everything]
    if sum(ways) != 1:
        raise InvalidOptionError("name a RATING, or --task with --by, or --all with --family")
    if command.task is not None and not command.author:
        raise InvalidOptionError("--task needs --by: whose ratings of the task")
    if everything != (command.family is not None):
        raise InvalidOptionError("--all and --family go together")


def time_of(text: str, *, now: float) -> float:
    """`30m`, `2h` or `1d` ago, or an RFC 3339 time, as seconds since the epoch.

    Raises `InvalidOptionError`.
    """
    span = _AGO.match(text)
    if span is not None:
        return now - float(span[1]) * _UNIT_S[span[2]]
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise InvalidOptionError(
            f"--since {text!r} is neither a span (30m, 2h, 1d) nor an RFC 3339 time with its "
            "offset (2026-01-31T12:00:00Z)"
        )
    return moment.timestamp()


def words_of(data: Path, row: RatingRow) -> str | None:
    """The words of a rating, or in their place why they cannot be read here. Blocking."""
    if row.comment is None:
        return None
    try:
        return read_text(data, row.tenant, row.comment)
    except ResultMissingError as error:
        return f"({error})"


def variant_rows(report: FeedbackReport) -> list[Document]:
    """One row per variant, with its place in the preferred order."""
    return [
        {
            "family": family.family,
            "preferred": _place(variant.variant, family.order),
            "threshold": family.threshold,
            **document(variant),
        }
        for family in report.families
        for variant in family.variants
    ]


def _place(variant: str, order: Sequence[str]) -> int | None:
    return order.index(variant) + 1 if variant in order else None
