"""What a canary's bytes say about its device."""

import itertools

import hypothesis.strategies as st
from hypothesis import given

from pointsman.contracts.canaries import CanaryAnswer, CanaryAnswered, CanaryFailed
from pointsman.contracts.events import CanaryChanged
from pointsman.resource_monitor.domain.canary_verdicts import (
    Verdict,
    change,
    compare,
    digest,
    failures_after,
)

RIGHT = CanaryAnswered(output=b"nonce", run_s=0.25)
WRONG = CanaryAnswered(output=b"", run_s=0.01)
FAILED = CanaryFailed(code="unavailable", message="connection refused")
BUSY = CanaryFailed(code="busy", message="no slot", busy=True)


def judged(answer: CanaryAnswer) -> Verdict | None:
    return compare("identity", digest(b"nonce"), "random bytes", answer)


def changes(answers: list[CanaryAnswer], healthy: bool | None = None) -> list[CanaryChanged]:
    found: list[CanaryChanged] = []
    failures = 0
    for answer in answers:
        verdict = judged(answer)
        if verdict is None:
            continue
        failures = failures_after(failures, verdict)
        event = change("cpu-0", verdict, healthy=healthy, failures=failures, now=1.0, applied_to=0)
        if event is not None:
            healthy = event.healthy
            found.append(event)
    return found


def test_the_right_bytes_are_a_success() -> None:
    (event,) = changes([RIGHT])

    assert event.healthy
    assert event.found_digest == event.expected_digest == digest(b"nonce")
    assert event.seconds == 0.25


def test_an_answer_with_other_bytes_is_a_failure() -> None:
    (event,) = changes([WRONG, WRONG])

    assert not event.healthy
    assert event.found_digest == digest(b"")
    assert event.detail == "the bytes differ (random bytes)"


def test_one_failure_says_nothing_and_two_in_a_row_do() -> None:
    assert changes([FAILED, RIGHT, FAILED], healthy=True) == []
    assert [event.healthy for event in changes([FAILED, FAILED], healthy=True)] == [False]


def test_a_busy_device_neither_failed_nor_succeeded() -> None:
    assert [event.healthy for event in changes([FAILED, BUSY, FAILED], healthy=True)] == [False]
    assert changes([BUSY, BUSY, BUSY], healthy=True) == []


def test_one_success_makes_it_healthy_again() -> None:
    assert [event.healthy for event in changes([RIGHT], healthy=False)] == [True]


@given(
    st.lists(st.sampled_from([RIGHT, WRONG, FAILED, BUSY])), st.sampled_from([None, True, False])
)
def test_events_only_tell_changes(answers: list[CanaryAnswer], healthy: bool | None) -> None:
    told = [healthy, *(event.healthy for event in changes(answers, healthy))]

    assert all(a != b for a, b in itertools.pairwise(told))


@given(st.lists(st.sampled_from([RIGHT, WRONG, FAILED, BUSY]), min_size=1))
def test_after_the_right_bytes_a_device_is_healthy(answers: list[CanaryAnswer]) -> None:
    told = changes([*answers, RIGHT])

    assert told[-1].healthy
