"""The history of a task in sentences."""

import re

import pytest

from pointsman.contracts import events
from pointsman.contracts.leases import RunFailed
from pointsman.contracts.topics import TOPICS, EventCodec
from pointsman.scheduler.domain.attempts import decide_report
from pointsman.scheduler.domain.why import sentences
from tests.support.golden_files import golden_documents
from tests.support.scheduling import (
    COMPLETED,
    NOON,
    A,
    B,
    History,
    accepted,
    attached,
    given,
    model,
    report,
)

REFUSED = RunFailed(code="unavailable", message="connection refused", retryable=True)


def finished() -> History:
    history = given(
        model("best", quality=0.9),
        model("fast"),
        attached("gpu-0", variants=("best",)),
        attached("cpu-0", variants=("fast",)),
        (B, accepted(variants=("best", "fast"), key=NOON)),
        (A, accepted(variants=("best", "fast"), key=NOON + 12, deadline=NOON + 60)),
    )
    history.round(NOON + 12)
    for attempt, outcome, at in ((1, REFUSED, NOON + 13), (2, COMPLETED, NOON + 15)):
        told = report(A, attempt, outcome, device="cpu-0")
        decided = decide_report(history.pool, told, at=at, draw=0.5)
        assert decided is not None
        assert history.record(decided)
        history.round(at + 1)
    return history


def test_a_task_that_was_retried_is_told_from_acceptance_to_result() -> None:
    told = "\n".join(sentences(finished().of(A)))

    for part in (
        "12:00:00.000: accepted from /shop for tenant acme",
        "due to start within 12 s",
        "Its deadline is 12:01:00.000",
        "best, fast",
        "12:00:12.000: attempt 1 granted to fast on cpu-0 after 12 s",
        "best on gpu-0 (no free slot)",
        "pulled forward 18 s by its deadline",
        "attempt 1 failed on cpu-0: connection refused (unavailable)",
        "The next attempt may start after 250 ms.",
        "attempt 2 granted to fast",
        "completed by fast on cpu-0: waited 14 s, ran 250 ms, result 60 bytes",
    ):
        assert part in told


@pytest.mark.parametrize("topic", [topic for topic in TOPICS if topic.startswith("task.")])
def test_every_event_of_a_task_has_its_sentence(topic: str) -> None:
    for golden in golden_documents("events", topic):
        event = EventCodec().decode(topic, golden)

        told = sentences([event])

        assert told
        assert all(re.search(r"[.]$", sentence) for sentence in told)
        assert "None" not in " ".join(told)


def test_what_does_not_concern_the_task_is_not_told() -> None:
    elected = events.LeaderElected(at=NOON, applied_to=0, pool="main", epoch=1, holder="a")

    assert sentences([elected]) == []
    assert sentences([]) == []
