"""Tasks of one class that share a call: who joins, and what is told of it."""

import pytest
from msgspec.structs import replace

from pointsman.contracts.message import PriorityClass
from pointsman.policy.batching import MAX_BYTES
from pointsman.scheduler.domain.load import sample_load
from pointsman.scheduler.domain.why.history import sentences
from tests.support.batching import FAST, device, sizes, task, waiting
from tests.support.scheduling import (
    NOON,
    PAYLOAD,
    A,
    accepted,
    attached,
    given,
    granted_events,
    model,
)


def test_tasks_that_find_no_free_slot_join_a_call_of_their_class() -> None:
    history = waiting(6)

    grants = granted_events(history.round(NOON))

    assert list(grants) == [task(n) for n in (1, 2, 3, 4)]
    (place,) = {grant.batch for grant in grants.values()}
    assert place is not None
    assert (place.id, place.size, place.most) == (f"{task(1)}/1", 4, 4)
    assert device(history).occupied == 1


def test_every_slot_is_given_out_before_a_call_is_shared() -> None:
    history = waiting(3, slots=4)

    grants = granted_events(history.round(NOON))

    assert [grant.batch for grant in grants.values()] == [None, None, None]
    assert device(history).occupied == 3


def test_company_is_spread_over_the_calls_of_a_round() -> None:
    history = waiting(6, slots=2)

    grants = granted_events(history.round(NOON))

    assert set(sizes(grants).values()) == {3}
    assert len({grant.batch for grant in grants.values()}) == 2


def test_a_call_that_runs_already_is_joined_by_nobody() -> None:
    history = waiting(1)
    history.round(NOON)
    history.append(A, accepted())

    assert history.round(NOON + 1) == []


def test_a_model_that_does_not_batch_takes_one_task_in_a_call() -> None:
    history = waiting(3, max_batch=1)

    assert sizes(granted_events(history.round(NOON))) == {task(1): 1}


def test_another_class_does_not_join() -> None:
    history = given(
        FAST,
        attached(max_batch=4),
        (task(1), accepted(key=NOON)),
        (task(2), accepted(key=NOON + 1, variants=("fast", "best"))),
        (task(3), accepted(key=NOON + 2)),
        model("best", quality=0.9),
    )

    assert sizes(granted_events(history.round(NOON))) == {task(1): 2, task(3): 2}


def test_other_parameters_need_another_call() -> None:
    history = given(
        FAST,
        attached(max_batch=4),
        (task(1), replace(accepted(key=NOON), parameters={"sentences": "3"})),
        (task(2), replace(accepted(key=NOON + 1), parameters={"sentences": "5"})),
    )

    assert sizes(granted_events(history.round(NOON))) == {task(1): 1}


def test_payloads_that_are_too_long_together_go_apart() -> None:
    payload = replace(PAYLOAD, size=MAX_BYTES // 2 + 1)
    long = [(task(n), replace(accepted(key=NOON + n), payload=payload)) for n in (1, 2)]
    history = given(FAST, attached(max_batch=4), *long)

    assert sizes(granted_events(history.round(NOON))) == {task(1): 1}


@pytest.mark.parametrize(("deadline_in_s", "joined"), [(2.5, 2), (1.2, 1)])
def test_a_tight_deadline_keeps_others_out_of_a_call(deadline_in_s: float, joined: int) -> None:
    # One task takes a second, a second one half a second more as long as nothing was measured.
    history = given(
        model("fast", service_s=1.0),
        attached(max_batch=4),
        (task(1), accepted(key=NOON, deadline=NOON + deadline_in_s)),
        (task(2), accepted(key=NOON + 1)),
    )

    assert len(granted_events(history.round(NOON))) == joined


def test_a_task_with_a_tight_deadline_does_not_join_a_call_that_takes_longer() -> None:
    history = given(
        model("fast", service_s=1.0),
        attached(max_batch=4),
        (task(1), accepted(key=NOON)),
        (task(2), accepted(key=NOON + 1, deadline=NOON + 1.2)),
    )

    assert list(granted_events(history.round(NOON))) == [task(1)]


def test_a_grant_in_company_says_so() -> None:
    history = waiting(3)
    history.round(NOON)

    told = "\n".join(sentences(history.of(task(2))))

    assert f"It shares one call with 2 other task(s) of its class (batch {task(1)}/1" in told
    assert "more of them waited than slots were free" in told


def test_a_pool_that_batches_expects_less_waiting() -> None:
    def wait_s(max_batch: int) -> float:
        sample = sample_load(waiting(40, max_batch=max_batch).pool, at=NOON)
        (family,) = sample.families
        assert family.predicted_wait_s is not None
        return family.predicted_wait_s

    assert wait_s(4) < 0.7 * wait_s(1)


def test_urgent_work_keeps_its_place_before_company_of_others() -> None:
    label = model("label", family="classify", service_s=0.001)
    history = given(
        FAST,
        label,
        attached(slots=2, variants=("fast", "label"), max_batch=8),
        *((task(n), accepted(key=NOON + n)) for n in range(1, 6)),
        (
            task(9),
            accepted(
                key=NOON + 1.5,
                family="classify",
                variants=("label",),
                priority_class=PriorityClass.INTERACTIVE,
            ),
        ),
    )

    grants = granted_events(history.round(NOON))

    assert grants[task(9)].batch is None
    assert sizes(grants)[task(1)] == 5


def test_a_family_is_told_anew_when_one_of_its_variants_changes() -> None:
    models = given(FAST, model("best", quality=0.9)).pool.models
    before = [known.variant for known in models.family("summarize")]

    models.register(model("fast", quality=0.95))

    assert before == ["best", "fast"]
    assert [known.variant for known in models.family("summarize")] == ["fast", "best"]
