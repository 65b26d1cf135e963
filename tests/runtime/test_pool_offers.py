"""A task is offered to the pool that was chosen, then to the other candidate."""

from uuid import UUID

import pytest

from pointsman.contracts.commands import Accepted, Answer, Duplicate, Rejected
from pointsman.contracts.pool_choice import ChoiceBasis, PoolCandidate, PoolChoice
from pointsman.contracts.refusals import DEPENDENCY_ELSEWHERE, NOT_LOADABLE
from pointsman.runtime.pool_offers import offer_to_pools

TASK = UUID(int=7)
TAKEN = Accepted(task=TASK, position=3)
SHED = Rejected(code="shed", message="no batch work now")
WRONG = Rejected(code="unknown_family", message="no such family")
CHOICE = PoolChoice(
    chosen="b",
    basis=ChoiceBasis.LOAD,
    pools=3,
    candidates=(PoolCandidate(pool="a", wait_s=2.0), PoolCandidate(pool="b", wait_s=1.0)),
    draws=(0.1, 0.2),
)


async def offered(
    answers: dict[str, Answer | None], choice: PoolChoice = CHOICE
) -> tuple[Answer | None, list[PoolChoice]]:
    asked: list[PoolChoice] = []

    async def offer(each: PoolChoice) -> Answer | None:
        asked.append(each)
        return answers[each.chosen]

    return await offer_to_pools(choice, ("a", "b", "c"), offer), asked


async def test_the_chosen_pool_takes_it_and_nobody_else_is_asked() -> None:
    answer, asked = await offered({"b": TAKEN})

    assert (answer, asked) == (TAKEN, [CHOICE])


@pytest.mark.parametrize(("first", "reason"), [(SHED, SHED.message), (None, "in time")])
async def test_another_pool_takes_what_the_first_refused_or_did_not_answer(
    first: Answer | None, reason: str
) -> None:
    answer, (_, second) = await offered({"b": first, "a": TAKEN})

    assert answer == TAKEN
    assert (second.chosen, second.instead_of) == ("a", "b")
    assert reason in second.reason
    assert second.candidates == CHOICE.candidates


async def test_what_is_wrong_with_the_task_is_wrong_everywhere() -> None:
    answer, asked = await offered({"b": WRONG})

    assert (answer, len(asked)) == (WRONG, 1)


async def test_two_refusals_are_told_as_the_first() -> None:
    answer, _ = await offered({"b": SHED, "a": Rejected(code="queue_full", message="full")})

    assert answer == SHED


async def test_a_refusal_after_a_silence_settles_nothing() -> None:
    answer, _ = await offered({"b": None, "a": WRONG})

    assert answer is None


async def test_a_pool_that_took_it_silently_is_told_by_the_next_one() -> None:
    again = Duplicate(task=TASK, position=3)

    answer, _ = await offered({"b": None, "a": again})

    assert answer == again


async def test_a_task_follows_what_it_depends_on_to_a_pool_that_was_not_drawn() -> None:
    elsewhere = Rejected(code=DEPENDENCY_ELSEWHERE, message="it waits in another pool")

    answer, asked = await offered({"b": elsewhere, "a": elsewhere, "c": TAKEN})

    assert answer == TAKEN
    assert [each.chosen for each in asked] == ["b", "a", "c"]


async def test_a_task_that_no_device_of_a_pool_could_run_is_offered_to_all_of_them() -> None:
    unable = Rejected(code=NOT_LOADABLE, message="no device of pool b could ever run it")

    answer, asked = await offered({"b": unable, "a": unable, "c": TAKEN})

    assert answer == TAKEN
    assert [each.chosen for each in asked] == ["b", "a", "c"]


async def test_without_another_candidate_nobody_else_is_asked() -> None:
    alone = PoolChoice(chosen="b", basis=ChoiceBasis.LOAD, pools=1, candidates=())

    answer, asked = await offered({"b": SHED}, alone)

    assert (answer, len(asked)) == (SHED, 1)
