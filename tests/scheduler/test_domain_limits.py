"""Limits of models and tenants, weights, and commands that change nothing."""

import pytest

from pointsman.contracts import events
from pointsman.contracts.commands import CancelTask, Rejected
from pointsman.contracts.events import ScopeKind
from pointsman.contracts.message import PriorityClass
from pointsman.contracts.steering import NO_LIMIT, SteeringCommand
from pointsman.scheduler.domain.admission.submitting import OF_THE_MOMENT, decide_submit
from pointsman.scheduler.domain.attempts.ends import decide_cancel
from tests.support.scheduling import (
    COMPLETED,
    NOON,
    PAYLOAD,
    A,
    B,
    C,
    accepted,
    attached,
    given,
    model,
    submission,
)
from tests.support.steering import (
    boost,
    changes_nothing,
    drain,
    ends,
    granted,
    hold,
    limit,
    move,
    pause,
    release,
    resume,
    set_tenant,
    steered,
    told,
    undrain,
    waiting,
)


def test_a_model_runs_no_more_than_its_limit_over_all_devices() -> None:
    history = given(
        model(),
        attached("cpu-0", slots=2),
        attached("cpu-1", slots=2),
        *((task, accepted()) for task in (A, B, C)),
    )
    steered(history, limit("fast", 2))

    assert len(granted(history)) == 2

    ends(history, A)
    assert len(granted(history, NOON + 1)) == 1


def test_a_suspect_slot_counts_towards_a_limit() -> None:
    history = waiting(slots=2)
    steered(history, limit("fast", 1))
    history.round(NOON)
    decided = decide_cancel(history.pool, CancelTask(command_id="c", task=A, by="ada"), at=NOON)
    assert decided is not None
    assert history.record(decided)

    assert granted(history) == []


def test_attempts_that_share_a_call_count_each() -> None:
    history = given(
        model(),
        attached(slots=1, max_batch=8),
        *((task, accepted()) for task in (A, B, C)),
    )
    steered(history, limit("fast", 2))

    assert len(granted(history)) == 2


def test_a_limit_is_taken_away() -> None:
    history = waiting(slots=2)
    steered(history, limit("fast", 0))
    assert granted(history) == []

    assert told(history, limit("fast", NO_LIMIT)) == "fast runs as often as there are slots"

    assert granted(history) == [A, B]


def test_a_tenant_runs_no_more_than_its_limit_and_leaves_the_rest_to_others() -> None:
    history = given(
        model(),
        attached(slots=3),
        (A, accepted(key=NOON)),
        (B, accepted(key=NOON)),
        (C, accepted(key=NOON + 100, tenant="globex")),
    )
    steered(history, set_tenant(running=1))

    assert granted(history) == [A, C]


def test_a_tenant_with_as_many_waiting_as_it_may_is_refused_at_the_door_for_the_moment() -> None:
    history = waiting()
    steered(history, set_tenant(queued=2))

    refused = decide_submit(history.pool, submission(), PAYLOAD, at=NOON)

    assert isinstance(refused, Rejected)
    assert refused.code == "tenant_queue_full"
    assert refused.code in OF_THE_MOMENT
    other = decide_submit(history.pool, submission(tenant="globex"), PAYLOAD, at=NOON)
    assert not isinstance(other, Rejected)
    history.round(NOON)
    assert not isinstance(decide_submit(history.pool, submission(), PAYLOAD, at=NOON), Rejected)


def test_settings_that_a_command_leaves_out_stay() -> None:
    history = waiting()
    steered(history, set_tenant(weight=2.0, running=4))

    (event,) = steered(history, set_tenant(queued=10, running=NO_LIMIT))

    assert isinstance(event, events.TenantSet)
    assert (event.weight, event.running, event.queued) == (2.0, None, 10)


def test_a_tenant_of_twice_the_weight_is_charged_half() -> None:
    history = waiting()
    steered(history, set_tenant(weight=2.0))

    history.round(NOON)
    ends(history, A)

    assert history.pool.waiting.counters.of("acme") == pytest.approx(0.125)
    assert COMPLETED.run_s == 0.25


@pytest.mark.parametrize(
    "command",
    [
        hold(A),
        boost(A, 7.0),
        move(A, PriorityClass.BATCH),
        pause(ScopeKind.MODEL, "fast"),
        pause(ScopeKind.TENANT, "acme"),
        limit("fast", 3),
        drain(),
        set_tenant(weight=3.0),
    ],
)
def test_asking_again_changes_nothing_and_says_so(command: SteeringCommand) -> None:
    history = waiting()
    assert steered(history, command)

    assert changes_nothing(history, command)


@pytest.mark.parametrize(
    "command",
    [
        release(A),
        boost(A, 0.0),
        move(A, PriorityClass.STANDARD),
        resume(ScopeKind.FAMILY, "summarize"),
        resume(ScopeKind.TENANT, "nobody"),
        limit("fast", NO_LIMIT),
        undrain(),
        set_tenant(weight=1.0, running=NO_LIMIT),
    ],
)
def test_what_is_so_already_gives_no_event(command: SteeringCommand) -> None:
    assert changes_nothing(waiting(), command)
