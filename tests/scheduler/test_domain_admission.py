"""What is accepted, with which variants and which place in the order."""

import msgspec
import pytest

from pointsman.contracts.commands import Rejected, SubmitTask
from pointsman.contracts.events import TaskAccepted
from pointsman.contracts.message import Degradation, Delivery, PriorityClass
from pointsman.scheduler.domain import admission
from pointsman.scheduler.domain.admission import decide_submit
from pointsman.scheduler.domain.pool import Pool
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


def test_a_full_queue_takes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "MAX_QUEUED", 1)
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


def test_a_task_of_another_pool_is_not_ours() -> None:
    history = given(*MODELS, (A, msgspec.structs.replace(accepted(), pool="other")))

    assert history.pool.tasks == {}
    assert history.pool.queued == 0
    assert history.pool.applied_to == 3
