"""Which failures speak against a variant, and what stands in for it."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.contracts.events import FallbackEnded, FallbackStarted
from pointsman.degradation.domain.failures import BLAMED, KEPT, Failure, Streak
from pointsman.degradation.domain.fallbacks import (
    FIRST_S,
    FORGIVEN_S,
    LONGEST_S,
    Fallbacks,
    available_mib,
    decide_ended,
    decide_started,
)
from pointsman.degradation.domain.surroundings import AttachedDevice, Surroundings, Variant
from tests.degradation.pure_ladder import NOON

LARGE = Variant("large", "summarize", 0.9, 800.0)
MEDIUM = Variant("medium", "summarize", 0.7, 400.0)
SMALL = Variant("small", "summarize", 0.5, 100.0)
OTHER = Variant("lexicon", "classify", 0.8, 50.0)
VARIANTS = {each.variant: each for each in (LARGE, MEDIUM, SMALL, OTHER)}
ALL_LOADED = AttachedDevice("gpu-0", "main", "gpu", tuple(VARIANTS))

outcomes = st.lists(st.sampled_from(["ok", "model_error", "out_of_memory"]), max_size=60)


def failures(*codes: str, first: int = 1, tasks: int = 99, variant: str = "large") -> Streak:
    streak = Streak("main", variant)
    for number, code in enumerate(codes):
        streak = streak.failed(Failure(first + number, NOON, f"task-{number % tasks}", code))
    return streak


def around(
    *streaks: Streak,
    loaded: AttachedDevice = ALL_LOADED,
    position: int = 50,
    threshold: float = 0.0,
) -> Surroundings:
    return Surroundings(
        position=position,
        variants=VARIANTS,
        devices={loaded.device: loaded},
        thresholds={"summarize": threshold},
        streaks=streaks,
    )


def started(
    known: Surroundings,
    *,
    past: Fallbacks | None = None,
    at: float = NOON,
    available: float | None = None,
) -> list[FallbackStarted]:
    return decide_started(past or Fallbacks("main"), known, available, at=at)


def test_three_failures_in_a_row_start_the_fallback_of_best_quality() -> None:
    (event,) = started(around(failures("model_error", "bad_output", "run_timeout")))

    assert (event.variant, event.fallback, event.code) == ("large", "medium", "run_timeout")
    assert event.strategy.fallbacks == ("medium", "small")
    assert (event.failures, event.tasks) == (3, ("task-0", "task-1", "task-2"))
    assert (event.until, event.applied_to) == (NOON + FIRST_S, 50)


def test_two_failures_in_a_row_prove_nothing() -> None:
    assert started(around(failures("model_error", "model_error"))) == []


def test_one_task_that_fails_again_and_again_proves_nothing_about_the_variant() -> None:
    assert started(around(failures(*["run_timeout"] * 9, tasks=1))) == []


def test_a_completed_task_ends_the_row() -> None:
    streak = failures("model_error", "model_error").completed()

    assert started(around(streak.failed(Failure(9, NOON, "last", "model_error")))) == []


def test_to_run_out_of_memory_once_is_enough_even_if_others_completed_since() -> None:
    (event,) = started(around(failures("out_of_memory").completed()))

    assert (event.code, event.failures, event.fallback) == ("out_of_memory", 1, "medium")


def test_failures_of_long_ago_are_history() -> None:
    streak = failures("out_of_memory", "model_error", "model_error", "model_error")

    assert started(around(streak), at=NOON + 61) == []


def test_a_variant_that_runs_out_of_memory_is_replaced_by_a_smaller_one_that_fits() -> None:
    roomy, tight, none = (
        started(around(failures("out_of_memory")), available=available)[0]
        for available in (1000.0, 300.0, 60.0)
    )

    assert (roomy.fallback, roomy.strategy.resource_target_mib) == ("medium", 100.0)
    assert (tight.fallback, tight.strategy.resource_target_mib) == ("small", 100.0)
    assert (none.fallback, none.strategy.resource_target_mib) == ("", 48.0)


def test_the_largest_stands_in_for_a_smaller_one_that_raises_but_not_for_want_of_memory() -> None:
    (raised,) = started(around(failures(*["model_error"] * 3, variant="medium")))
    (memory,) = started(around(failures("out_of_memory", variant="medium")))

    assert raised.fallback == "large"
    assert memory.fallback == "small"


def test_no_fallback_is_below_the_quality_that_the_family_asks_for() -> None:
    (event,) = started(around(failures("out_of_memory"), threshold=0.8))

    assert (event.fallback, event.strategy.fallbacks) == ("", ())
    assert event.strategy.quality_threshold == 0.8


def test_a_variant_that_is_loaded_nowhere_in_the_pool_is_no_fallback() -> None:
    elsewhere = AttachedDevice("gpu-9", "other", "gpu", tuple(VARIANTS))

    (event,) = started(around(failures("out_of_memory"), loaded=elsewhere))

    assert event.fallback == ""


def test_two_variants_do_not_stand_in_for_each_other() -> None:
    both = around(failures("out_of_memory"), failures(*["bad_output"] * 3, variant="medium"))

    first, second = started(both)

    assert (first.variant, first.fallback) == ("large", "medium")
    assert (second.variant, second.fallback) == ("medium", "small")


def test_what_was_decided_is_not_decided_again_by_the_same_failures() -> None:
    known, past = around(failures("out_of_memory")), Fallbacks("main")
    (event,) = started(known, past=past)
    past.evolve(event)

    meanwhile = started(known, past=past)
    (ended,) = decide_ended(past, at=event.until, applied_to=known.position)
    past.evolve(ended)

    assert meanwhile == []
    assert ended.variant == "large"
    assert started(known, past=past, at=event.until) == []


def test_a_missing_fallback_is_said_once_until_its_time_is_over() -> None:
    known = around(failures("out_of_memory"), threshold=1.0)
    past = Fallbacks("main")
    (event,) = started(known, past=past)
    past.evolve(event)
    more = around(failures("out_of_memory", first=60), position=99, threshold=1.0)

    assert event.fallback == ""
    assert started(more, past=past, at=event.until - 1) == []


def test_each_repetition_lasts_twice_as_long_up_to_ten_minutes() -> None:
    past, at, lasted = Fallbacks("main"), NOON, list[float]()
    for repetition in range(8):
        position = 100 * (repetition + 1)
        failure = Failure(position, at, "task", "out_of_memory")
        known = around(Streak("main", "large").failed(failure), position=position)
        (event,) = started(known, past=past, at=at)
        past.evolve(event)
        lasted.append(event.until - at)
        at = event.until
        for ended in decide_ended(past, at=at, applied_to=position):
            past.evolve(ended)

    assert lasted == [30.0, 60.0, 120.0, 240.0, 480.0, LONGEST_S, LONGEST_S, LONGEST_S]


def test_a_variant_that_behaved_for_long_starts_anew() -> None:
    past = Fallbacks("main")
    (event,) = started(around(failures("out_of_memory")), past=past)
    past.evolve(event)
    (ended,) = decide_ended(past, at=event.until, applied_to=50)
    past.evolve(ended)
    at = event.until + FORGIVEN_S + 1
    later = Streak("main", "large").failed(Failure(90, at, "task", "out_of_memory"))

    (again,) = started(around(later, position=90), past=past, at=at)

    assert again.until - at == FIRST_S


def test_another_pools_failures_and_fallbacks_are_not_ours() -> None:
    past = Fallbacks("main")
    theirs = Streak("other", "large").failed(Failure(1, NOON, "task", "out_of_memory"))
    past.evolve(FallbackEnded(at=NOON, applied_to=9, pool="other", variant="large", reason="over"))

    assert started(around(theirs), past=past) == []
    assert past.past("large").handled == 0


def test_available_memory_is_what_is_free_and_what_models_hold_on_the_roomiest_device() -> None:
    known = Surroundings(
        variants=VARIANTS,
        devices={
            "gpu-0": AttachedDevice("gpu-0", "main", "gpu", ("small", "unregistered")),
            "gpu-1": AttachedDevice("gpu-1", "main", "gpu", ("large",)),
            "theirs": AttachedDevice("theirs", "other", "gpu"),
        },
    )

    assert available_mib(known, "main", {"gpu-0": 500.0, "gpu-1": 50.0, "theirs": 9e9}) == 850.0
    assert available_mib(known, "main", {}) is None


@pytest.mark.parametrize("code", ["invalid_input", "engine_busy", "engine_unavailable"])
def test_what_would_go_wrong_with_another_variant_too_is_not_blamed(code: str) -> None:
    assert code not in BLAMED


@given(outcomes, st.integers(min_value=0, max_value=60))
def test_a_streak_counts_the_failures_since_the_last_completed_task(
    ends: list[str], handled: int
) -> None:
    streak, row = Streak("main", "large"), list[int]()
    for position, end in enumerate(ends, start=1):
        if end == "ok":
            streak, row = streak.completed(), []
        else:
            streak = streak.failed(Failure(position, NOON, f"task-{position}", end))
            row.append(position)

    later = streak.since(handled)

    assert streak.count == len(row)
    assert [failure.position for failure in streak.row] == row[-KEPT:]
    assert all(failure.position > handled for failure in later.recent)
    beyond = [position for position in row if position > handled]
    kept = [failure.position for failure in streak.row if failure.position > handled]
    assert later.count == (len(row) if len(kept) == len(streak.row) else len(beyond))


@given(outcomes)
def test_whatever_happens_a_fallback_is_viable_and_stands_once(ends: list[str]) -> None:
    streak, past, decided = Streak("main", "large"), Fallbacks("main"), list[FallbackStarted]()
    for position, end in enumerate(ends, start=1):
        at = NOON + position
        for ended in decide_ended(past, at=at, applied_to=position):
            past.evolve(ended)
        if end == "ok":
            streak = streak.completed()
        else:
            streak = streak.failed(Failure(position, at, f"task-{position}", end))
        for event in started(around(streak, position=position), past=past, at=at):
            past.evolve(event)
            decided.append(event)

    assert all(event.fallback in {"medium", "small"} for event in decided)
    assert all(second.at >= first.until for first, second in pairwise(decided))
