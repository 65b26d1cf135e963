"""Which inputs are too long for a call, and who has them cut."""

from uuid import UUID

import msgspec
import pytest

from pointsman.contracts.commands import Rejected, SubmitTask
from pointsman.contracts.events import (
    ModelRegistered,
    PartsGranted,
    SplitPlanned,
    TaskAccepted,
    TaskCompleted,
    TaskFailed,
)
from pointsman.contracts.leases import RunFailed
from pointsman.contracts.message import Degradation, PriorityClass
from pointsman.contracts.parts import MAX_PARTS, Merge, SplitPlan
from pointsman.contracts.streams import part_id
from pointsman.scheduler.domain.admission.oversize import LEAST_BYTES
from pointsman.scheduler.domain.admission.submitting import decide_submit
from pointsman.scheduler.domain.why.history import sentences
from tests.support.scheduling import attached, given, submission
from tests.support.splitting import LIMIT, Splitting, input_of, limited, live


def submitted(
    size: int,
    *models: ModelRegistered,
    degradation: Degradation | None = None,
    priority_class: PriorityClass = PriorityClass.STANDARD,
) -> TaskAccepted | Rejected:
    pool = given(*models, attached()).pool
    task = msgspec.structs.replace(
        submission(priority_class=priority_class), degradation=degradation
    )
    return decide_submit(pool, task, input_of(size), at=0.0)


def refusal(size: int, *models: ModelRegistered, degradation: Degradation | None = None) -> str:
    answer = submitted(size, *models, degradation=degradation)
    assert isinstance(answer, Rejected)
    assert answer.next
    return answer.code


def accepted(
    size: int,
    *models: ModelRegistered,
    degradation: Degradation | None = Degradation.SPLIT,
    priority_class: PriorityClass = PriorityClass.STANDARD,
) -> TaskAccepted:
    answer = submitted(size, *models, degradation=degradation, priority_class=priority_class)
    assert isinstance(answer, TaskAccepted)
    return answer


def next_step(task: SubmitTask, *models: ModelRegistered) -> str:
    answer = decide_submit(given(*models, attached()).pool, task, input_of(500), at=0.0)
    assert isinstance(answer, Rejected)
    return answer.next


def test_who_may_have_it_cut_is_told_how_and_who_may_not_is_not() -> None:
    divisible, whole = limited(), limited(merge=None)

    assert "--allow-degradation split" in next_step(submission(), divisible)
    assert next_step(submission(), whole) == "send a shorter input, or several tasks"


def test_a_variant_that_would_take_it_is_named_unless_it_is_not_good_enough() -> None:
    models = limited("best", quality=0.9), limited("wide", limit=1_000, quality=0.5)
    pinned = msgspec.structs.replace(submission(), model="best")

    assert "ask for wide, which takes it" in next_step(pinned, *models)
    demanding = msgspec.structs.replace(pinned, min_quality=0.8)
    assert "wide" not in next_step(demanding, *models)


def test_an_input_within_the_limit_runs_as_a_whole() -> None:
    assert accepted(LIMIT, limited()).split is None


def test_an_input_beyond_every_limit_is_to_be_cut() -> None:
    assert accepted(LIMIT + 1, limited()).split == SplitPlan(
        max_bytes=LIMIT,
        merge=Merge.JOIN,
        partial=True,
        reason="its 101 bytes are more than the 100 that a call takes",
    )


def test_a_variant_that_takes_the_whole_is_used_before_anything_is_cut() -> None:
    models = limited("best", quality=0.9), limited("fast", limit=1000)

    whole = accepted(500, *models)

    assert (whole.variants, whole.split) == (("fast",), None)


def test_a_variant_without_a_limit_takes_everything() -> None:
    models = limited("best", quality=0.9), limited("fast", limit=0)

    assert accepted(10**9, *models).variants == ("fast",)


def test_parts_fit_every_variant_that_may_run_them() -> None:
    models = limited("best", quality=0.9, limit=10), limited("fast")

    few = accepted(10 * MAX_PARTS, *models, limited("slow", quality=0.1, limit=LIMIT))
    many = accepted(10 * MAX_PARTS + 1, *models)

    assert few.split is not None
    assert many.split is not None
    assert (few.split.max_bytes, few.variants) == (10, ("best", "fast", "slow"))
    assert (many.split.max_bytes, many.variants) == (LIMIT, ("fast",))


@pytest.mark.parametrize(
    ("priority_class", "expected"),
    [
        (PriorityClass.BATCH, Degradation.SPLIT),
        (PriorityClass.BACKGROUND, Degradation.SPLIT),
        (PriorityClass.STANDARD, Degradation.SMALLER_MODEL),
        (PriorityClass.INTERACTIVE, Degradation.SMALLER_MODEL),
    ],
)
def test_a_class_says_what_its_caller_leaves_open(
    priority_class: PriorityClass, expected: Degradation
) -> None:
    known = accepted(LIMIT, limited(), degradation=None, priority_class=priority_class)

    assert known.degradation is expected


def test_only_a_caller_who_says_so_takes_a_part_of_the_result() -> None:
    batch = accepted(2 * LIMIT, limited(), degradation=None, priority_class=PriorityClass.BATCH)

    assert batch.split is not None
    assert not batch.split.partial


@pytest.mark.parametrize("degradation", [None, Degradation.NONE, Degradation.SMALLER_MODEL])
def test_whoever_allows_no_cut_is_refused(degradation: Degradation | None) -> None:
    assert refusal(LIMIT + 1, limited(), degradation=degradation) == "input_too_large"


def test_more_than_all_parts_can_hold_is_refused() -> None:
    code = refusal(LIMIT * MAX_PARTS + 1, limited(), degradation=Degradation.SPLIT)

    assert code == "input_too_large"


def test_a_family_without_a_rule_to_merge_is_not_cut() -> None:
    code = refusal(LIMIT + 1, limited(merge=None), degradation=Degradation.SPLIT)

    assert code == "not_divisible"


def test_the_size_of_an_inline_payload_is_known_before_it_is_stored() -> None:
    pool = given(limited()).pool
    task = SubmitTask(command_id="1", tenant="acme", family="summarize", payload=b"x" * 101)

    answer = decide_submit(pool, task, input_of(len(task.payload or b"")), at=0.0)

    assert isinstance(answer, Rejected)


# -- inputs that no device has memory for --------------------------------------------------------

NO_MEMORY = RunFailed(code="out_of_memory", message="CUDA out of memory", retryable=False)


def ran_out_of_memory(
    size: int, degradation: Degradation = Degradation.SPLIT
) -> tuple[Splitting, UUID]:
    """A task whose only attempt ran out of memory."""
    world = Splitting(limited(limit=0))
    task = world.submit(size, degradation=degradation)
    world.round()
    world.report(task, live(world, task), NO_MEMORY)
    return world, task


def test_an_input_that_no_variant_had_memory_for_is_cut_into_quarters() -> None:
    world, task = ran_out_of_memory(10_000)

    (planned,) = [e for e in world.history.of(task) if isinstance(e, SplitPlanned)]
    (granted,) = [item.events[0] for item in world.round()]

    assert planned.plan.max_bytes == 2_500
    assert isinstance(granted, PartsGranted)
    world.ends()
    (end,) = world.ends_of(task)
    assert isinstance(end, TaskCompleted)
    assert end.parts is not None


def test_the_history_of_such_a_task_says_why() -> None:
    world, task = ran_out_of_memory(10_000)

    told = " ".join(sentences(world.history.of(task)))

    assert "no variant had memory for its 10000 bytes as a whole (out_of_memory)" in told


@pytest.mark.parametrize(
    ("size", "degradation"),
    [
        pytest.param(10_000, Degradation.SMALLER_MODEL, id="not allowed"),
        pytest.param(LEAST_BYTES - 1, Degradation.SPLIT, id="too little to cut"),
    ],
)
def test_without_leave_or_use_it_fails(size: int, degradation: Degradation) -> None:
    world, task = ran_out_of_memory(size, degradation)

    (end,) = world.ends_of(task)

    assert isinstance(end, TaskFailed)
    assert end.code == "out_of_memory"


def test_a_part_that_is_too_much_as_well_is_not_cut_again() -> None:
    world, task = ran_out_of_memory(10_000)
    world.round()
    world.works(4)
    world.round()
    part = part_id(task, 1)

    world.report(part, live(world, part), NO_MEMORY)

    assert isinstance(world.history.of(part)[-1], TaskFailed)
