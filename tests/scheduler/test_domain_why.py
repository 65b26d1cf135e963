"""The history of a task in sentences."""

import re

import msgspec
import pytest

from pointsman.contracts import events
from pointsman.contracts.decided import Decided
from pointsman.contracts.leases import RunFailed
from pointsman.contracts.levels import Level
from pointsman.contracts.topics import TOPICS, EventCodec
from pointsman.scheduler.domain.admission.preparation import decide_prepare
from pointsman.scheduler.domain.attempts.ends import decide_report
from pointsman.scheduler.domain.why.history import sentences
from tests.support.golden_files import golden_documents
from tests.support.influences import level_changed, sampled, with_context, with_result
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


def told_of(history: History) -> str:
    return "\n".join(sentences(history.of(A)))


def test_what_turned_a_grant_is_told_with_its_place_in_the_log() -> None:
    history = given(
        model("best", quality=0.9),
        model("fast"),
        attached("gpu-0", variants=("best", "fast")),
        sampled("gpu-0", "s-7", temperature_c=65.0),
        level_changed(Level.DEGRADE),
        (A, accepted(variants=("best", "fast"))),
    )
    history.round(NOON)

    told = told_of(history)

    for part in (
        "What turned it: degrade, because the predicted wait of summarize is 2.4 s",
        "(degradation.level_changed.v1 at position 5).",
        "best on gpu-0 (the ladder stands at degrade: fast is next)",
        "temperature 0.50",
        "Device samples used: s-7.",
    ):
        assert part in told


def test_what_a_task_waited_for_is_told() -> None:
    history = given(model(), attached(), (A, accepted(conversation="c-1", cache=True, at=NOON)))
    decided = decide_prepare(history.pool, with_context(A), at=NOON + 0.25)
    assert isinstance(decided, Decided)
    assert history.record(decided)

    told = told_of(history)

    assert "It belongs to conversation c-1." in told
    assert "The result of an identical task will do." in told
    assert "context attached: 3 earlier turn(s) kept, 2 dropped, 420 tokens" in told


def test_a_task_that_runs_on_its_input_alone_is_told_why() -> None:
    event = events.TaskPrepared(at=NOON, applied_to=3, note="the context was not ready in time")

    (told,) = sentences([event])

    assert told.endswith("it runs on its input alone: the context was not ready in time.")


def test_a_cached_result_is_told_with_the_task_that_it_comes_from() -> None:
    history = given(model(), (A, accepted(cache=True)))
    decided = decide_prepare(history.pool, with_result(A, of="task-7"), at=NOON + 0.25)
    assert isinstance(decided, Decided)
    assert history.record(decided)

    told = told_of(history)

    assert "completed with the cached result of task task-7 by fast; nothing was run." in told
    assert "attempt" not in told


def test_a_task_that_was_shed_is_told_what_it_was_shed_for() -> None:
    cause = events.Cause(topic="degradation.level_changed.v1", position=4, detail="shed")
    event = events.TaskShed(at=NOON, applied_to=4, reason="over its share", causes=(cause,))

    assert sentences([event]) == [
        "12:00:00.000: shed under overload: over its share.",
        "What turned it: shed (degradation.level_changed.v1 at position 4).",
    ]


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


def test_a_task_that_waited_for_its_context_in_vain_says_so() -> None:
    history = given(
        model("fast"),
        attached(variants=("fast",)),
        (A, msgspec.structs.replace(accepted(variants=("fast",)), conversation="support")),
    )
    history.round(NOON + 1)
    assert "granted" not in "\n".join(sentences(history.of(A)))

    history.round(NOON + 3)

    told = "\n".join(sentences(history.of(A)))
    assert "Nothing prepared it within 2 s, so it runs on its input alone." in told
