"""What a demo run came to, counted from the log and judged."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

from pointsman.contracts.history import Verdict, judge
from pointsman.contracts.recorded import Recorded
from pointsman.contracts.task_states import TaskState

_DEAD_LETTER = "dead_letter.recorded.v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The one line of `-o json`; everything but `duplicates` is counted from the log."""

    submitted: int
    completed: int
    expired: int
    rejected: int
    duplicates: int
    failed: int
    lost: int
    duplicate_results: int
    events: int
    triton_version: str | None
    nats_version: str
    why: str
    seconds: float

    @property
    def adds_up(self) -> bool:
        """Every message has come to exactly one end."""
        ends = self.completed + self.expired + self.rejected + self.duplicates + self.failed
        return self.submitted == ends and not self.lost and not self.duplicate_results


@dataclass(frozen=True, slots=True)
class Judged:
    """The log's verdict with the number of dead letters."""

    verdict: Verdict
    dead_letters: int
    events_of: dict[str, int] = field(repr=False)
    """Task id to how many events it has."""


def judge_log(log: Sequence[Recorded]) -> Judged:
    """Judge the whole log of a stack that served nothing but the demo."""
    events_of: dict[str, int] = {}
    for event in log:
        if event.type.startswith("task."):
            events_of[str(event.stream)] = events_of.get(str(event.stream), 0) + 1
    dead_letters = sum(event.type == _DEAD_LETTER for event in log)
    return Judged(judge(log), dead_letters, events_of)


def outcome_of(
    judged: Judged,
    *,
    submitted: int,
    duplicates: int,
    triton_version: str | None,
    nats_version: str,
    why: str,
    seconds: float,
) -> Outcome:
    """Put the figures together; cancelled, shed and abandoned tasks count as failed."""
    ended = dict(judged.verdict.ended)
    completed = ended.pop(TaskState.COMPLETED, 0)
    expired = ended.pop(TaskState.EXPIRED, 0)
    return Outcome(
        submitted=submitted,
        completed=completed,
        expired=expired,
        rejected=judged.dead_letters,
        duplicates=duplicates,
        failed=sum(ended.values()),
        lost=len(judged.verdict.lost),
        duplicate_results=len(judged.verdict.duplicate_results),
        events=judged.verdict.events,
        triton_version=triton_version,
        nats_version=nats_version,
        why=why,
        seconds=round(seconds, 2),
    )


def document_of(outcome: Outcome) -> dict[str, object]:
    """The outcome as a JSON object, in its documented order."""
    return asdict(outcome)
