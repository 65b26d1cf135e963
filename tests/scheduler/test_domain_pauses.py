"""Pauses and drains: what is not granted until it resumes, while running work goes on."""

import pytest

from pointsman.contracts.commands import Rejected
from pointsman.contracts.events import ScopeKind, TaskCompleted, TaskGranted
from pointsman.contracts.steering import SteeringCommand
from pointsman.scheduler.domain.admission.submitting import decide_submit
from tests.support.scheduling import (
    NOON,
    PAYLOAD,
    A,
    B,
    accepted,
    attached,
    given,
    model,
    submission,
)
from tests.support.steering import (
    WHY,
    drain,
    ends,
    granted,
    hold,
    limit,
    pause,
    refusal,
    release,
    resume,
    steered,
    told,
    undrain,
    waiting,
)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (ScopeKind.MODEL, "fast"),
        (ScopeKind.FAMILY, "summarize"),
        (ScopeKind.TENANT, "acme"),
        (ScopeKind.POOL, "main"),
    ],
)
def test_nothing_of_a_paused_scope_is_granted_until_it_resumes(kind: ScopeKind, name: str) -> None:
    history = waiting()

    steered(history, pause(kind, name))

    assert granted(history) == []
    steered(history, resume(kind, name))
    assert granted(history) == [A]


def test_running_work_of_a_paused_scope_ends_and_is_not_followed() -> None:
    history = waiting()
    history.round(NOON)
    steered(history, pause(ScopeKind.POOL, "main"))

    ends(history, A)

    assert isinstance(history.of(A)[-1], TaskCompleted)
    assert granted(history, NOON + 2) == []


def test_what_is_not_paused_goes_on() -> None:
    history = given(
        model(),
        model("other", family="classify"),
        attached(slots=2, variants=("fast", "other")),
        (A, accepted()),
        (B, accepted(family="classify", variants=("other",))),
    )

    steered(history, pause(ScopeKind.FAMILY, "summarize"))

    assert granted(history) == [B]


def test_a_smaller_variant_takes_over_at_once_while_the_best_one_is_paused() -> None:
    history = given(
        model("best", quality=0.9),
        model("fast"),
        attached(variants=("best", "fast")),
        (A, accepted(variants=("best", "fast"))),
    )
    steered(history, pause(ScopeKind.MODEL, "best"))

    history.round(NOON)

    grant = history.of(A)[-1]
    assert isinstance(grant, TaskGranted)
    assert grant.variant == "fast"
    (other,) = grant.explanation.others
    assert other.refused == f"best is paused by cli:ada: {WHY}"


def test_admission_goes_on_while_a_scope_is_paused() -> None:
    history = waiting()
    steered(history, pause(ScopeKind.POOL, "main"))

    assert not isinstance(decide_submit(history.pool, submission(), PAYLOAD, at=NOON), Rejected)


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (pause(ScopeKind.MODEL, "absent"), "unknown_model"),
        (pause(ScopeKind.FAMILY, "absent"), "unknown_family"),
        (pause(ScopeKind.POOL, "absent"), "unknown_pool"),
        (resume(ScopeKind.MODEL, "absent"), "unknown_model"),
        (limit("absent", 1), "unknown_model"),
        (drain("absent"), "no_such_device"),
        (undrain("absent"), "no_such_device"),
    ],
)
def test_what_is_not_there_is_refused(command: SteeringCommand, code: str) -> None:
    assert refusal(waiting(), command).code == code


def test_a_tenant_can_be_paused_before_anybody_has_heard_of_him() -> None:
    assert told(waiting(), pause(ScopeKind.TENANT, "globex")).startswith("nothing of tenant globex")


def test_a_drained_device_finishes_what_it_runs_and_gets_nothing_new() -> None:
    history = waiting(slots=2)
    steered(history, hold(B))
    history.round(NOON)

    assert told(history, drain()) == "draining, 1 attempt still runs"

    steered(history, release(B))
    assert granted(history) == []
    ends(history, A)
    assert granted(history, NOON + 2) == []
    steered(history, undrain(), at=NOON + 2)
    assert granted(history, NOON + 2) == [B]


def test_a_device_stays_drained_when_its_executor_comes_back() -> None:
    history = waiting()
    steered(history, drain())

    history.append(history.entries[1].stream, attached(incarnation="second"))

    assert granted(history) == []


def test_a_drain_is_cited_as_the_reason() -> None:
    history = given(model(), attached("cpu-0"), attached("cpu-1"), (A, accepted()))
    steered(history, drain("cpu-0"))

    history.round(NOON)

    grant = history.of(A)[-1]
    assert isinstance(grant, TaskGranted)
    assert [other.refused for other in grant.explanation.others] == [
        f"cpu-0 is drained by cli:ada: {WHY}"
    ]
