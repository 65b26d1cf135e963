"""Simple tasks that prefer the quickest variant that is good enough, where a family asks for it."""

from uuid import UUID

import msgspec
import pytest

from pointsman.contracts.events import Decision, TaskAccepted
from pointsman.contracts.message import BlobRef, Degradation
from pointsman.contracts.routing import Judgement
from pointsman.scheduler.domain.admission.submitting import decide_submit
from pointsman.scheduler.domain.pool import Pool
from tests.support.influences import preferred, threshold_moved
from tests.support.routing import routing
from tests.support.scheduling import (
    NOON,
    A,
    B,
    History,
    attached,
    given,
    granted_events,
    model,
    submission,
)

MODELS = (
    model("best", quality=0.9, service_s=1.0),
    model("good", quality=0.7, service_s=0.2),
    model("poor", quality=0.3, service_s=0.1),
)


def admitted(pool: Pool, size: int = 40, **change: object) -> TaskAccepted:
    task = msgspec.structs.replace(submission(), **change)
    payload = BlobRef(digest="ab" * 32, size=size, media_type="text/plain")
    decided = decide_submit(pool, task, payload, at=NOON)
    assert isinstance(decided, TaskAccepted)
    return decided


def judgement(accepted: TaskAccepted) -> Judgement:
    assert accepted.judged is not None
    return accepted.judged


SMALL_FIRST: tuple[Decision, ...] = (*MODELS, routing(small_first=True))


def test_a_simple_task_prefers_the_quickest_variant_that_is_good_enough() -> None:
    accepted = admitted(given(*SMALL_FIRST).pool)

    assert accepted.variants == ("good", "best", "poor")
    assert judgement(accepted).small_first
    assert judgement(accepted).variant == "good"


@pytest.mark.parametrize(
    ("size", "change"),
    [
        (800, {}),
        (8000, {}),
        (40, {"min_quality": 0.1}),
        (40, {"model": "best"}),
        (40, {"degradation": Degradation.NONE}),
    ],
    ids=["medium", "complex", "least quality", "model", "no degradation"],
)
def test_whoever_asks_for_something_keeps_the_order_by_quality(
    size: int, change: dict[str, object]
) -> None:
    accepted = admitted(given(*SMALL_FIRST).pool, size, **change)

    assert accepted.variants[0] == "best"
    assert not judgement(accepted).small_first


def test_without_being_asked_for_nothing_changes() -> None:
    assert admitted(given(*MODELS, routing()).pool).variants == ("best", "good", "poor")


def test_a_learned_threshold_raises_what_is_good_enough() -> None:
    accepted = admitted(given(*SMALL_FIRST, threshold_moved(0.8)).pool)

    assert accepted.variants == ("best", "good", "poor")


def waiting(*serving: str, recorded: tuple[Decision, ...] = ()) -> History:
    """A simple task, and a device per variant."""
    devices = [attached(f"d-{name}", variants=(name,)) for name in serving]
    history = given(*SMALL_FIRST, *devices, *recorded)
    history.append(A, admitted(history.pool))
    return history


def variant_of(history: History, task: UUID, at: float) -> str | None:
    grant = granted_events(history.round(at)).get(task)
    return None if grant is None else grant.variant


def test_a_simple_task_gets_the_small_variant() -> None:
    assert variant_of(waiting("best", "good", "poor"), A, NOON) == "good"


def test_a_larger_variant_is_taken_rather_than_waited_for_a_small_one() -> None:
    history = waiting("best", "good", "poor")
    history.append(B, admitted(history.pool))

    granted = granted_events(history.round(NOON))

    assert {task: grant.variant for task, grant in granted.items()} == {A: "good", B: "best"}


def test_one_that_is_not_good_enough_is_for_tasks_that_are_due() -> None:
    history = waiting("good", "poor")
    history.append(B, admitted(history.pool))

    early = {g.variant for g in granted_events(history.round(NOON)).values()}
    due = variant_of(history, B, NOON + 60)

    assert (early, due) == ({"good"}, "poor")


def test_ratings_go_before_size() -> None:
    history = waiting("best", "good", recorded=(preferred("best", "good"),))

    assert variant_of(history, A, NOON) == "best"


def test_there_are_two_classes_of_a_family_and_no_more() -> None:
    pool = given(*SMALL_FIRST).pool

    classes = {admitted(pool, size).variants for size in range(1, 20_000, 37)}

    assert classes == {("good", "best", "poor"), ("best", "good", "poor")}
