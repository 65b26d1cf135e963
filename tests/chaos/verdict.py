"""What is found out about a run after its load: clients, log, bus and views."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pointsman.context.domain.tasks import SOURCE as CONTEXT_SOURCE
from pointsman.contracts.history import Verdict
from pointsman.eventstore.verification import ChainCheck
from pointsman.testing.history import check
from tests.chaos.feed import feed_gaps, unpublished
from tests.chaos.followed import CANCELLED, COMPLETED
from tests.chaos.log import LogPlace
from tests.chaos.replayed import decided_otherwise, replay
from tests.chaos.results import wrong_results
from tests.chaos.run import Ran
from tests.chaos.stack import ChaosStack
from tests.chaos.views import unequal_views

STUCK_S: Final = 60.0
_EXPECTED: Final = frozenset({COMPLETED, CANCELLED, ""})


@dataclass(slots=True)
class Outcome:
    """What was found, by kind; empty is what everybody hopes for."""

    found: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    log: Verdict | None = None
    decisions: int = 0
    """How many were made again."""

    def add(self, kind: str, items: tuple[object, ...]) -> None:
        if items:
            self.found[kind] = tuple(str(item) for item in items)

    def counts(self) -> dict[str, int]:
        return {kind: len(items) for kind, items in self.found.items()}


def judge_clients(ran: Ran, outcome: Outcome) -> None:
    """What the clients saw: answers that never came, work that took too long."""
    sent = ran.load.sent
    outcome.add("unanswered", tuple(k for k, each in sent.items() if each.answered_at is None))
    outcome.add("client_failed", tuple(name for name in ran.load.counts if "failed" in name))
    outcome.add("stuck", _stuck(ran))
    outcome.add("unexpected_end", _unexpected(ran))
    never = ran.recoveries.not_recovered()
    outcome.add("not_recovered", tuple(f"{each.number} {each.name}" for each in never))


def judge_log(log: LogPlace, ran: Ran, outcome: Outcome) -> None:
    """The whole log against everything that clients saw."""
    findings = check(ran.load.sent.values(), log.read(), own_sources={CONTEXT_SOURCE})
    outcome.log = findings.log
    outcome.add("wrong_result", wrong_results(log.read()))
    verification = replay(log)
    outcome.decisions = verification.decisions
    outcome.add("decided_otherwise", decided_otherwise(verification))
    chain = ChainCheck()
    chain.take(log.linked())
    outcome.add("broken_chain", () if chain.broken is None else (chain.broken,))
    outcome.add("unlinked", (chain.unlinked,) if chain.unlinked else ())
    for kind, items in findings.kinds.items():
        outcome.add(kind, items)


async def judge_streams(stack: ChaosStack, outcome: Outcome) -> None:
    """What the bus holds of the log."""
    log = stack.log
    head = log.head()
    try:
        outcome.add("feed_gap", await feed_gaps(stack.scheduler, head))
        outcome.add("not_published_once", await unpublished(stack.scheduler, log, head))
    except AssertionError as error:
        outcome.add("feed_behind", (error,))


def judge_views(data: Path, log: LogPlace, work: Path, outcome: Outcome) -> None:
    """Every view against a rebuild."""
    outcome.add("view_not_equal_to_rebuild", unequal_views(data, log, work))


def _unexpected(ran: Ran) -> tuple[object, ...]:
    """Tasks of clients that ended otherwise than by their result or by being cancelled."""
    return tuple(
        f"{life.key} {life.end}"
        for life in ran.tasks.lives.values()
        if life.key in ran.load.sent and life.end not in _EXPECTED
    )


def _stuck(ran: Ran) -> tuple[object, ...]:
    """Tasks that took longer than `STUCK_S` from the first sending to the end."""
    sent = ran.load.sent
    took = {
        life.key: life.ended_at - sent[life.key].sent_at
        for life in ran.tasks.lives.values()
        if life.ended_at is not None and life.key in sent
    }
    return tuple(f"{key} {seconds:.1f} s" for key, seconds in took.items() if seconds > STUCK_S)
