"""The way of a whole: who cuts and merges, and how it ends."""

from pointsman.contracts.events import (
    AttemptFailed,
    AttemptLost,
    Decision,
    PartsGranted,
    TaskAccepted,
    TaskCompleted,
    TaskFailed,
    TaskSplit,
)
from pointsman.contracts.leases import RunFailed
from pointsman.contracts.message import PriorityClass
from pointsman.contracts.parts import FailedPart, PartsOutcome, PartsWork
from pointsman.contracts.streams import is_part, part_id
from pointsman.contracts.task_states import TaskState
from pointsman.scheduler.domain.parts.work import merge_work, split_work
from tests.support.scheduling import RESULT
from tests.support.splitting import LIMIT, Splitting, cut, done, live, merged, parts_of

BAD = RunFailed(code="bad_output", message="wrong shape", retryable=False)


def kinds(events: list[Decision]) -> list[type[Decision]]:
    return [type(event) for event in events]


def test_an_executor_cuts_without_any_device() -> None:
    world = Splitting()
    whole = world.submit(5 * LIMIT)

    ((_, granted),) = [(item.stream, item.events[0]) for item in world.round()]

    assert isinstance(granted, PartsGranted)
    assert (granted.work, granted.executor) == (PartsWork.SPLIT, "executor-1")
    task = world.pool.tasks[whole]
    assert split_work(task) is not None
    assert merge_work(task) is None
    assert all(device.occupied == 0 for device in world.pool.devices.values())


def test_the_parts_are_accepted_in_the_commit_of_the_cut() -> None:
    world = Splitting()
    whole, parts = cut(world)

    entries = [entry for entry in world.history.entries if entry.stream in {whole, *parts}]

    assert kinds([entry.event for entry in entries][-4:]) == [TaskSplit, *[TaskAccepted] * 3]
    assert [entry.stream for entry in entries[-3:]] == parts
    assert all(is_part(part) for part in parts)
    assert not is_part(whole)
    assert world.pool.tasks[whole].state is TaskState.SPLIT


def test_a_part_has_what_its_whole_was_given() -> None:
    world = Splitting()
    whole, parts = cut(world, deadline_in_s=60.0, max_attempts=2)

    asked, part = world.pool.tasks[whole].accepted, world.pool.tasks[parts[1]].accepted

    assert (part.parent, part.part, part.causation_id) == (str(whole), 2, str(whole))
    assert (part.tenant, part.family, part.variants) == (asked.tenant, asked.family, asked.variants)
    assert (part.key, part.deadline, part.max_attempts) == (asked.key, asked.deadline, 2)
    assert (part.split, part.conversation, part.cache) == (None, None, False)


def test_the_result_follows_the_last_part() -> None:
    world = Splitting()
    whole, parts = cut(world)
    world.round()
    for part in parts[:-1]:
        world.report(part, live(world, part), done(live(world, part), 1))
    before_the_last = world.pool.tasks[whole].at_desk
    world.works()
    world.round()

    told = merge_work(world.pool.tasks[whole])
    world.report(whole, live(world, whole), merged())

    assert not before_the_last
    assert told is not None
    assert [(part.size, part.result) for part in told.parts] == [
        (90, RESULT),
        (91, RESULT),
        (92, RESULT),
    ]
    (end,) = world.ends_of(whole)
    assert isinstance(end, TaskCompleted)
    assert (end.result, end.device, end.variant) == (RESULT, "", "")
    assert end.parts == PartsOutcome(done=(1, 2, 3))
    assert world.pool.tasks == {}
    assert len(parts) == 3


def test_what_a_part_lacks_is_said_where_the_caller_takes_it() -> None:
    world = Splitting()
    whole, _ = cut(world)
    world.round()
    ran = [(task, granted) for task, granted in world.granted if is_part(task)]
    world.report(*ran[0], BAD)
    world.works()
    world.round()
    world.works()
    world.round()
    world.works()

    (end,) = world.ends_of(whole)

    assert isinstance(end, TaskCompleted)
    assert end.parts is not None
    assert end.parts.failed == (FailedPart(part=1, code="bad_output"),)
    assert end.parts.done == (2, 3)


def test_a_whole_whose_caller_takes_all_or_nothing_fails_with_a_part() -> None:
    world = Splitting()
    whole = world.submit(5 * LIMIT, degradation=None, priority_class=PriorityClass.BATCH)
    world.round()
    world.works()
    world.round()
    world.report(part_id(whole, 2), live(world, part_id(whole, 2)), BAD)
    world.works()
    world.round()
    world.works()

    world.round()

    (end,) = world.ends_of(whole)
    assert isinstance(end, TaskFailed)
    assert (end.code, end.attempts) == ("parts_failed", 1)
    assert end.message == "of 3 parts 1 have no result: 2 (bad_output)"


def test_a_whole_without_any_result_fails() -> None:
    world = Splitting()
    whole, parts = cut(world, 2)
    world.round()
    for part in parts:
        world.report(part, live(world, part), BAD)

    world.round()

    (end,) = world.ends_of(whole)
    assert isinstance(end, TaskFailed)
    assert end.code == "parts_failed"


def test_an_input_that_cannot_be_cut_fails_its_task() -> None:
    world = Splitting()
    whole = world.submit(5 * LIMIT)
    world.round()
    ill = RunFailed(code="not_divisible", message="byte 0 is not UTF-8", retryable=False)

    world.report(whole, live(world, whole), ill)

    assert kinds(world.history.of(whole))[-2:] == [AttemptFailed, TaskFailed]


def test_a_merge_has_tries_of_its_own() -> None:
    world = Splitting()
    whole, _ = cut(world, 1, max_attempts=1)
    busy = RunFailed(code="blobs_unavailable", message="disk full", retryable=True)
    world.round()
    world.works()
    world.round()

    world.report(whole, live(world, whole), busy)

    assert kinds(world.history.of(whole))[-2:] == [AttemptFailed, TaskFailed]
    assert [type(e) for e in world.history.of(part_id(whole, 1))][-1] is TaskCompleted


def test_a_lost_cut_is_made_again_and_a_lost_merge_cuts_nothing_again() -> None:
    world = Splitting()
    whole = world.submit(5 * LIMIT)
    world.round()
    world.restart("executor-1")
    world.round()
    world.works(1)
    world.round()
    world.works()
    world.round()
    world.restart("executor-1")
    world.round()
    world.works()

    assert kinds(world.history.of(whole)) == [
        TaskAccepted,
        PartsGranted,
        AttemptLost,
        PartsGranted,
        TaskSplit,
        PartsGranted,
        AttemptLost,
        PartsGranted,
        TaskCompleted,
    ]


def test_a_report_of_a_lost_cut_changes_nothing() -> None:
    world = Splitting()
    whole = world.submit(5 * LIMIT)
    world.round()
    late = live(world, whole)
    world.restart("executor-1")

    assert not world.report(whole, late, parts_of(3))
