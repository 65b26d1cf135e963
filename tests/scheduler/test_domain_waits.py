"""What an open task waits for, in words: the first thing that holds, and who is to be asked."""

from typing import Final
from uuid import UUID

import pytest
from msgspec.structs import replace

from pointsman.contracts import events
from pointsman.contracts.commands import CancelTask
from pointsman.contracts.events import ScopeKind
from pointsman.contracts.steering import HoldTask, SteeringCommand
from pointsman.scheduler.domain.attempts.ends import decide_cancel
from pointsman.scheduler.domain.why.waits import waits_for
from tests.support.scheduling import (
    NOON,
    A,
    B,
    History,
    accepted,
    attached,
    given,
    model,
)
from tests.support.splitting import LIMIT, Splitting, cut
from tests.support.steering import WHY, hold, limit, pause, set_tenant, steered, waiting

SET: Final = f"(set by cli:ada: {WHY})"


def waits(history: History, task: UUID = B) -> str:
    return waits_for(history.pool, history.pool.tasks[task])


def one_runs() -> History:
    """A runs on one of two slots, B waits."""
    history = waiting(slots=2)
    steered(history, hold(B))
    history.round(NOON)
    history.append(B, events.TaskReleased(at=NOON, applied_to=6, by="cli:ada", reason=WHY))
    return history


@pytest.mark.parametrize(
    ("command", "refused"),
    [
        (set_tenant(running=1), "tenant acme has 1 attempt(s) running, at most 1 may"),
        (limit("fast", 1), "1 attempt(s) of fast run, at most 1 may"),
    ],
    ids=["of a tenant", "of a model"],
)
def test_a_limit_is_named_with_who_set_it_and_whose_attempts_use_it_up(
    command: SteeringCommand, refused: str
) -> None:
    history = one_runs()

    steered(history, command)

    assert waits(history) == (f"its turn: {refused} {SET}: task {A} on cpu-0 since 12:00:00.000")


def test_a_limit_that_lets_nothing_run_names_no_attempt() -> None:
    history = waiting()

    steered(history, set_tenant(running=0))

    assert waits(history) == f"its turn: tenant acme has 0 attempt(s) running, at most 0 may {SET}"


def test_of_many_that_use_up_a_limit_a_few_are_named() -> None:
    history = given(model(), attached(slots=6))
    for number in range(6):
        history.append(UUID(int=number + 1), accepted())
    history.round(NOON)
    history.append(B, accepted())

    steered(history, limit("fast", 6))

    assert waits(history).count("since 12:00:00.000") == 3
    assert waits(history).endswith(" and 3 more")


def test_a_slot_whose_call_may_still_run_counts_and_is_told() -> None:
    history = one_runs()
    steered(history, limit("fast", 1))
    ended = decide_cancel(history.pool, CancelTask(command_id="c", task=A, by="ada"), at=NOON)
    assert ended is not None
    assert history.record(ended)

    assert waits(history).endswith(f"task {A} on cpu-0 perhaps still, since 12:00:00.000")


def test_a_pause_is_named_before_a_limit() -> None:
    history = one_runs()
    steered(history, set_tenant(running=1))

    steered(history, pause(ScopeKind.TENANT, "acme"))

    assert waits(history) == f"its turn: tenant acme is paused by cli:ada: {WHY}"


def test_a_task_that_waits_for_a_slot_knows_its_place() -> None:
    history = waiting()

    assert waits(history) == (
        "a free slot; its place in the line of its class is 2 of 2, and 2 task(s) wait in the pool"
    )


def test_a_task_that_sleeps_waits_for_its_time_whatever_else_is_in_the_way() -> None:
    history = given(model(), (B, replace(accepted(), not_before=NOON + 60)))
    steered(history, pause(ScopeKind.POOL, "main"))

    assert waits(history) == "its time, 2026-01-01 12:01:00 UTC"


def test_a_task_that_is_being_prepared_waits_for_its_context() -> None:
    history = given(model(), attached(), (B, accepted(conversation="c-1")))

    assert waits(history) == "its context, until 12:00:02 UTC at the latest"


def test_a_task_between_two_attempts_waits_for_the_end_of_its_delay() -> None:
    history = given(model(), attached(), (B, accepted()))
    history.round(NOON)
    history.append(
        B,
        events.AttemptFailed(
            at=NOON + 1,
            applied_to=4,
            attempt=1,
            device="cpu-0",
            code="unavailable",
            message="refused",
            retry_at=NOON + 9,
        ),
    )

    assert waits(history) == "the end of its retry delay, 12:00:09 UTC"


def test_a_part_says_that_its_whole_is_held() -> None:
    world = Splitting()
    whole, parts = cut(world)
    world.steer(HoldTask(command_id="1", task=whole, by="ada", reason="wait"))

    words = waits_for(world.pool, world.pool.tasks[parts[0]])

    assert words == f"the release of task {whole}, of which it is a part: it is held by ada: wait"


def test_a_whole_says_how_many_parts_run_and_how_long_they_should_take() -> None:
    world = Splitting()
    for _ in range(3):
        cut(world, parts=9)
        for _ in range(4):
            world.round()
            world.works(parts=9)
    whole, _ = cut(world, parts=9)
    world.round()

    words = waits_for(world.pool, world.pool.tasks[whole])

    assert words == (
        "9 of 9 parts, of which 4 run; about 750 ms if nothing else comes first, at 250 ms for a "
        "run of such a part on fast, 4 at a time"
    )
    steered(world.history, set_tenant(running=2))
    assert "about 1.25 s if nothing" in waits_for(world.pool, world.pool.tasks[whole])


def test_before_such_parts_ever_ran_nobody_guesses_how_long_they_take() -> None:
    world = Splitting()
    whole, _ = cut(world)

    assert waits_for(world.pool, world.pool.tasks[whole]) == "3 of 3 parts"


def test_a_whole_says_what_keeps_its_parts_back() -> None:
    world = Splitting()
    whole, _ = cut(world)
    steered(world.history, limit("fast", 0))

    words = waits_for(world.pool, world.pool.tasks[whole])

    assert words.startswith("3 of 3 parts; those that do not run are kept back: 0 attempt")


def test_a_whole_that_waits_to_be_cut_waits_for_no_limit() -> None:
    world = Splitting()
    whole = world.submit(5 * LIMIT)
    steered(world.history, limit("fast", 0))

    assert waits_for(world.pool, world.pool.tasks[whole]) == "an executor to cut its input"
    steered(world.history, pause(ScopeKind.POOL, "main"))
    assert waits_for(world.pool, world.pool.tasks[whole]).startswith("the end of a pause: pool")


def test_without_a_device_nobody_guesses_how_long_parts_take() -> None:
    world = Splitting()
    whole, _ = cut(world)
    world.falls_silent("executor-1")
    world.falls_silent("executor-2")

    assert waits_for(world.pool, world.pool.tasks[whole]) == "3 of 3 parts"
