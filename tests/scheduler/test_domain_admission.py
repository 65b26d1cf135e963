"""What is accepted, with which variants and which place in the order."""

import msgspec
import pytest

from pointsman.contracts.commands import Rejected, SubmitTask
from pointsman.contracts.events import Decision, TaskAccepted
from pointsman.contracts.levels import Level
from pointsman.contracts.message import Degradation, Delivery, PriorityClass
from pointsman.scheduler.domain.admission import submitting
from pointsman.scheduler.domain.admission.submitting import OF_THE_MOMENT, decide_submit
from pointsman.scheduler.domain.influences import SHED_LATER_AFTER_S
from pointsman.scheduler.domain.pool import Pool
from tests.support.influences import boosted, level_changed, preferred
from tests.support.scheduling import NOON, PAYLOAD, A, accepted, given, model, submission

MODELS = (model("fast", quality=0.5, service_s=0.1), model("best", quality=0.9, service_s=1.0))


def decided(task: SubmitTask, pool: Pool | None = None) -> TaskAccepted | Rejected:
    return decide_submit(pool or given(*MODELS).pool, task, PAYLOAD, at=NOON)


def admitted(task: SubmitTask) -> TaskAccepted:
    answer = decided(task)
    assert isinstance(answer, TaskAccepted)
    return answer


def refused(task: SubmitTask, pool: Pool | None = None) -> Rejected:
    answer = decided(task, pool)
    assert isinstance(answer, Rejected)
    return answer


def test_every_variant_of_the_family_is_admissible_best_first() -> None:
    assert admitted(submission()).variants == ("best", "fast")


def test_equal_qualities_are_ordered_by_name() -> None:
    pool = given(model("b"), model("a"), model("c")).pool

    task = decided(submission(), pool)

    assert isinstance(task, TaskAccepted)
    assert task.variants == ("a", "b", "c")


def test_a_pinned_model_is_the_only_variant() -> None:
    task = msgspec.structs.replace(submission(), model="fast")

    assert admitted(task).variants == ("fast",)


def test_without_degradation_only_the_best_variant_will_do() -> None:
    task = msgspec.structs.replace(submission(), degradation=Degradation.NONE)

    assert admitted(task).variants == ("best",)
    assert admitted(task).degradation is Degradation.NONE
    assert admitted(submission()).degradation is Degradation.SMALLER_MODEL


def test_variants_below_the_least_quality_are_left_out() -> None:
    task = msgspec.structs.replace(submission(), min_quality=0.9)

    assert admitted(task).variants == ("best",)


@pytest.mark.parametrize(
    ("change", "code", "named"),
    [
        ({"family": "translate"}, "unknown_family", "translate"),
        ({"model": "label"}, "unknown_model", "label"),
        ({"min_quality": 0.91}, "quality_not_available", "best"),
        ({"model": "fast", "min_quality": 0.51}, "quality_not_available", "fast"),
    ],
)
def test_what_no_model_can_do_is_refused_with_what_to_do_next(
    change: dict[str, object], code: str, named: str
) -> None:
    answer = refused(msgspec.structs.replace(submission(), **change))

    assert answer.code == code
    assert named in answer.message
    assert answer.next


def test_a_quality_is_told_as_it_was_asked_for() -> None:
    answer = refused(msgspec.structs.replace(submission(), min_quality=0.999))

    assert answer.message == (
        "the best variant, best, has quality 0.9, at least 0.999 was asked for"
    )


def test_a_full_queue_takes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(submitting, "MAX_QUEUED", 1)
    history = given(*MODELS, (A, accepted()))

    assert refused(submission(), history.pool).code == "queue_full"


def test_the_place_in_the_order_follows_from_class_and_boost() -> None:
    standard = admitted(submission())
    boosted = admitted(msgspec.structs.replace(submission(), boost_s=12.0))
    batch = admitted(submission(priority_class=PriorityClass.BATCH))

    assert (standard.key, boosted.key, batch.key) == (NOON + 30, NOON + 18, NOON + 120)
    assert boosted.boost_s == 12.0


def test_a_boost_beyond_the_window_is_recorded_as_what_counts() -> None:
    task = msgspec.structs.replace(
        submission(priority_class=PriorityClass.INTERACTIVE), boost_s=300.0
    )

    assert admitted(task).boost_s == 1.0


def test_a_deadline_makes_a_task_due_while_its_best_variant_can_still_meet_it() -> None:
    task = admitted(submission(deadline=NOON + 20))

    # The registry says that 99 of 100 runs of the best variant take at most 4 s.
    assert task.key == NOON + 16
    assert task.deadline == NOON + 20


def test_the_event_keeps_what_the_sender_said() -> None:
    task = SubmitTask(
        command_id="order-9",
        tenant="globex",
        family="summarize",
        payload=b"text",
        delivery=Delivery.HELD,
        max_attempts=5,
        parameters={"sentences": "3"},
        source="/mail",
        traceparent="00-1-2-01",
        correlation_id="mail-1",
        causation_id="order-8",
    )

    event = admitted(task)

    assert (event.tenant, event.message_id, event.source) == ("globex", "order-9", "/mail")
    assert (event.delivery, event.max_attempts) == (Delivery.HELD, 5)
    assert event.parameters == {"sentences": "3"}
    assert (event.traceparent, event.correlation_id) == ("00-1-2-01", "mail-1")
    assert event.causation_id == "order-8"
    assert event.payload == PAYLOAD


def test_the_event_carries_what_a_replay_needs() -> None:
    history = given(*MODELS, (A, accepted()))

    event = decided(submission(), history.pool)

    assert isinstance(event, TaskAccepted)
    assert (event.at, event.applied_to, event.pool) == (NOON, 3, "main")


def under(*recorded: Decision) -> Pool:
    return given(*MODELS, *recorded).pool


SHEDDING = level_changed(Level.SHED)


def test_at_the_last_rung_the_lowest_class_is_refused_with_the_event_that_says_so() -> None:
    answer = refused(submission(priority_class=PriorityClass.BACKGROUND), under(SHEDDING))

    assert answer.code == "shed"
    assert "background" in answer.message
    assert "the predicted wait of summarize is 2.4 s (event 3)" in answer.message
    assert "later" in answer.next


@pytest.mark.parametrize("after_s", [0.0, SHED_LATER_AFTER_S])
def test_higher_classes_are_taken_whatever_the_level(after_s: float) -> None:
    pool = under(SHEDDING)

    for priority_class in (PriorityClass.INTERACTIVE, PriorityClass.STANDARD):
        task = submission(priority_class=priority_class)
        answer = decide_submit(pool, task, PAYLOAD, at=NOON + after_s)
        assert isinstance(answer, TaskAccepted)


def test_batch_work_is_refused_when_refusing_the_lowest_class_was_not_enough() -> None:
    pool, task = under(SHEDDING), submission(priority_class=PriorityClass.BATCH)

    at_once = decide_submit(pool, task, PAYLOAD, at=NOON)
    later = decide_submit(pool, task, PAYLOAD, at=NOON + SHED_LATER_AFTER_S)

    assert isinstance(at_once, TaskAccepted)
    assert isinstance(later, Rejected)
    assert later.code in OF_THE_MOMENT


def test_what_is_admissible_does_not_depend_on_the_level() -> None:
    answer = decided(submission(), under(SHEDDING, preferred("fast", "best")))

    assert isinstance(answer, TaskAccepted)
    assert answer.variants == ("best", "fast")


def test_a_task_that_is_due_earlier_because_of_a_learned_boost_names_the_event() -> None:
    pool = under(boosted(4.0, PriorityClass.STANDARD))

    standard = decided(submission(), pool)
    batch = decided(submission(priority_class=PriorityClass.BATCH), pool)

    assert isinstance(standard, TaskAccepted)
    assert isinstance(batch, TaskAccepted)
    assert [cause.topic for cause in standard.causes] == ["behaviour.priority_boosted.v1"]
    assert "4 s earlier" in standard.causes[0].detail
    assert batch.causes == ()


def test_a_learned_boost_adds_to_the_senders_within_the_window_of_the_class() -> None:
    pool = under(boosted(4.0, PriorityClass.STANDARD, PriorityClass.INTERACTIVE))
    standard = msgspec.structs.replace(submission(), boost_s=12.0)

    answers = [
        decided(task, pool)
        for task in (
            standard,
            submission(priority_class=PriorityClass.INTERACTIVE),
            submission(priority_class=PriorityClass.BATCH),
        )
    ]

    found = [(a.boost_s, a.key - NOON) for a in answers if isinstance(a, TaskAccepted)]
    assert found == [(16.0, 14.0), (1.0, 0.0), (0.0, 120.0)]


def test_what_a_task_waits_for_is_recorded() -> None:
    task = msgspec.structs.replace(
        submission(conversation="c-1", cache=True), project="site", context_tokens=512
    )

    event = admitted(task)

    assert (event.project, event.conversation) == ("site", "c-1")
    assert (event.context_tokens, event.cache) == (512, True)


def test_a_task_of_another_pool_is_not_ours() -> None:
    history = given(*MODELS, (A, msgspec.structs.replace(accepted(), pool="other")))

    assert history.pool.tasks == {}
    assert history.pool.queued == 0
    assert history.pool.applied_to == 3
