"""What becomes of the parts of a whole that ends, in which order all are done, and what is told."""

from pointsman.contracts.events import (
    Decision,
    TaskCancelled,
    TaskCompleted,
    TaskExpired,
)
from pointsman.contracts.leases import RunCancelled, RunFailed
from pointsman.contracts.parts import FailedPart, PartsOutcome
from pointsman.contracts.steering import HoldTask, ReleaseTask
from pointsman.scheduler.domain.load import sample_load
from pointsman.scheduler.domain.parts.work import AT_ONCE
from pointsman.scheduler.domain.why.history import sentences
from pointsman.scheduler.domain.why.waits import waits_for
from tests.support.splitting import LIMIT, Splitting, cut

BAD = RunFailed(code="bad_output", message="wrong shape", retryable=False)


def kinds(events: list[Decision]) -> list[type[Decision]]:
    return [type(event) for event in events]


def test_a_cancelled_whole_takes_its_parts_with_it() -> None:
    world = Splitting()
    whole, parts = cut(world)
    world.round()

    world.cancel(whole)
    decided = world.round()

    ends = [world.history.of(part)[-1] for part in parts]
    assert {item.stream for item in decided} >= set(parts)
    assert [type(end) for end in ends] == [TaskCancelled] * 3
    assert all(isinstance(end, TaskCancelled) and str(whole) in end.reason for end in ends)
    assert world.pool.tasks == {}


def test_a_whole_whose_deadline_passes_takes_its_parts_with_it() -> None:
    world = Splitting()
    whole, parts = cut(world, deadline_in_s=60.0)
    world.now += 61

    world.round()
    world.round()

    assert kinds(world.history.of(whole))[-1] is TaskExpired
    assert all(kinds(world.history.of(part))[-1] in {TaskExpired, TaskCancelled} for part in parts)
    assert world.pool.tasks == {}


def test_a_cancelled_part_leaves_the_others_to_their_work() -> None:
    world = Splitting()
    whole, parts = cut(world)
    world.cancel(parts[0])
    world.ends()

    (end,) = world.ends_of(whole)

    assert isinstance(end, TaskCompleted)
    assert end.parts == PartsOutcome(done=(2, 3), failed=(FailedPart(part=1, code="cancelled"),))


def test_parts_that_a_restored_log_lacks_are_accepted_again() -> None:
    world = Splitting()
    _, parts = cut(world)
    world.loses_the_end(2)
    assert [part in world.pool.tasks for part in parts] == [True, False, False]

    world.round()

    assert [part in world.pool.tasks for part in parts] == [True, True, True]
    world.ends()


def test_an_executor_does_a_few_at_a_time_and_the_rest_wait_in_order() -> None:
    world = Splitting()
    tasks = [world.submit(5 * LIMIT) for _ in range(2 * AT_ONCE + 2)]

    world.round()
    again = world.round()
    granted = [task for task, _ in world.granted]
    executors = [event.executor for _, event in world.granted]
    world.report(granted[0], world.granted[0][1], RunCancelled())
    world.round()

    assert granted == tasks[: 2 * AT_ONCE]
    assert executors == ["executor-1", "executor-2"] * AT_ONCE
    assert again == []
    assert [task for task, _ in world.granted[2 * AT_ONCE :]] == [tasks[0]]


def test_without_an_executor_nothing_is_cut() -> None:
    world = Splitting()
    world.falls_silent("executor-1")
    world.falls_silent("executor-2")
    whole = world.submit(5 * LIMIT)

    assert world.round() == []
    assert waits_for(world.pool, world.pool.tasks[whole]) == "an executor to cut its input"


def test_whoever_holds_a_whole_holds_its_parts() -> None:
    world = Splitting()
    whole, _ = cut(world)
    world.steer(HoldTask(command_id="1", task=whole, by="ada", reason="wait"))

    while_held = world.round()
    world.steer(ReleaseTask(command_id="2", task=whole, by="ada", reason="go on"))

    assert while_held == []
    assert len(world.round()) == 3


def test_a_whole_that_runs_in_parts_is_no_demand_and_its_parts_are() -> None:
    world = Splitting()

    cut(world)
    sample = sample_load(world.pool, at=world.now)

    (family,) = sample.families
    assert (family.accepted, family.queued) == (3, 3)
    assert (sample.queued, sample.granted) == (3, 0)


def test_its_history_tells_of_the_cut_and_of_what_is_missing() -> None:
    world = Splitting()
    whole, parts = cut(world, deadline_in_s=600.0)
    waited = waits_for(world.pool, world.pool.tasks[whole])
    world.cancel(parts[2])
    world.ends()

    told = " ".join(sentences(world.history.of(whole)))
    of_part = " ".join(sentences(world.history.of(parts[0])))

    assert waited == "3 of 3 parts"
    assert "Its input is cut into parts of at most 100 bytes" in told
    assert "executor-1 is to cut its input; that takes no device" in told
    assert "cut into 3 part(s) of 90, 91, 92 bytes" in told
    assert "completed from 2 part(s)" in told
    assert "Without result stayed part 3 (cancelled); the result says so." in told
    assert f"It is part 1 of task {whole}" in of_part
