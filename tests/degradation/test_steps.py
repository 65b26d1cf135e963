"""When the ladder moves, and what it says about it."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.contracts.degradation import MAX_TTL_S
from pointsman.contracts.events import LevelChanged, OverrideSet, Pressure
from pointsman.contracts.levels import LEVELS, Level
from pointsman.degradation.domain.ladder import TRANSITIONS, Signal, rank
from pointsman.degradation.domain.rules import Rules
from tests.degradation.pure_ladder import CALM, PureLadder, override, waiting

waits = st.none() | st.sampled_from([0.0, 0.3, 0.6, 1.0, 2.0, 8.0, 20.0])
loads = st.none() | st.sampled_from([0.1, 0.8, 0.9, 2.0])
pressures = st.builds(
    Pressure,
    predicted_wait_s=waits,
    load_at_best=loads,
    device=st.none() | st.sampled_from([0.2, 0.92, 0.99]),
    queued=st.sampled_from([0, 10]),
    kept_back=st.sampled_from([0, 10]),
    alerts=st.sampled_from([(), ("task_latency/summarize",)]),
    unknown=st.sampled_from([(), (), ("device/gpu-0",)]),
)
moments = st.tuples(pressures, st.sampled_from([0.1, 0.5, 1.0, 1.0, 2.0, 5.0]))


@given(st.lists(moments, max_size=120))
def test_whatever_is_heard_each_step_is_in_the_table(heard: list[tuple[Pressure, float]]) -> None:
    ladder = PureLadder()

    for pressure, after_s in heard:
        ladder.look(pressure, after_s)

    for change in ladder.changes:
        assert TRANSITIONS[change.before, Signal(change.trigger)] is change.level
    for first, second in pairwise(ladder.changes):
        assert first.level is second.before


@given(st.lists(moments, max_size=120))
def test_the_ladder_never_turns_within_the_hold_time(heard: list[tuple[Pressure, float]]) -> None:
    ladder = PureLadder()

    for pressure, after_s in heard:
        ladder.look(pressure, after_s)

    for first, second in pairwise(ladder.changes):
        if (rank(first.level) > rank(first.before)) != (rank(second.level) > rank(second.before)):
            assert second.at - first.at >= ladder.rules.hold_s
            assert second.held_s == pytest.approx(second.at - first.at)


@given(st.lists(moments, max_size=60), st.sampled_from(LEVELS))
def test_what_is_unknown_leaves_the_level_as_it_is(
    heard: list[tuple[Pressure, float]], level: Level
) -> None:
    ladder = PureLadder()
    for step in ladder.steps.overridden(override(level), ladder.stand, CALM, at=1.0, applied_to=0):
        if isinstance(step, LevelChanged):
            ladder.stand = ladder.stand.evolve(step)

    for _, after_s in heard:
        ladder.look(Pressure(unknown=("pool",)), after_s)

    assert ladder.stand.level is level


@given(st.lists(moments, max_size=60))
def test_signals_do_not_move_a_ladder_that_is_held(heard: list[tuple[Pressure, float]]) -> None:
    ladder = PureLadder()
    events = ladder.steps.overridden(
        override(Level.DEGRADE), ladder.stand, CALM, at=ladder.at, applied_to=0
    )
    for event in events:
        ladder.stand = ladder.stand.evolve(event)

    for pressure, after_s in heard:
        ladder.look(pressure, after_s)

    assert ladder.changes == []
    assert ladder.stand.level is Level.DEGRADE


def test_a_long_wait_leads_up_one_step_a_second() -> None:
    ladder = PureLadder()

    ladder.hears(waiting(20.0), 5)

    assert [change.level for change in ladder.changes] == LEVELS_ABOVE
    assert [change.held_s for change in ladder.changes] == [0.0, 1.0, 1.0]


def test_one_long_reading_alone_is_a_ripple() -> None:
    ladder = PureLadder()

    for _ in range(10):
        ladder.look(waiting(20.0))
        ladder.look(CALM)

    assert ladder.changes == []


def test_headroom_leads_down_one_step_in_four_seconds() -> None:
    ladder = PureLadder()
    ladder.hears(waiting(20.0), 5)
    began = ladder.at

    ladder.hears(CALM, 20)

    down = ladder.changes[3:]
    assert [change.level for change in down] == [Level.DEGRADE, Level.CONSERVE, Level.NORMAL]
    assert [change.at - began for change in down] == [5.0, 9.0, 13.0]


def test_a_short_queue_is_no_headroom_while_the_best_variants_would_not_carry_the_demand() -> None:
    ladder = PureLadder()
    ladder.hears(waiting(2.0), 3)

    ladder.hears(waiting(0.0, load=1.5), 60)

    assert ladder.stand.level is Level.DEGRADE


def test_a_level_is_left_below_half_of_its_threshold_only() -> None:
    ladder = PureLadder()
    ladder.hears(waiting(2.0), 3)

    ladder.hears(waiting(0.8, load=0.1), 60)
    stayed = ladder.stand.level
    ladder.hears(waiting(0.7, load=0.1), 5)

    assert stayed is Level.DEGRADE
    assert ladder.stand.level is Level.CONSERVE


def test_an_alert_leads_to_conserve_and_holds_it_there() -> None:
    ladder = PureLadder()
    alerted = Pressure(
        predicted_wait_s=0.0, load_at_best=0.1, queued=0, alerts=("gpu_memory/gpu-0",)
    )

    ladder.hears(alerted, 60)
    held = [change.level for change in ladder.changes]
    ladder.hears(CALM, 5)

    assert held == [Level.CONSERVE]
    assert ladder.changes[0].reason == "alerts stand: gpu_memory/gpu-0"
    assert ladder.stand.level is Level.NORMAL


@pytest.mark.parametrize(("queued", "level"), [(0, Level.NORMAL), (5, Level.CONSERVE)])
def test_a_full_device_counts_while_tasks_wait(queued: int, level: Level) -> None:
    ladder = PureLadder()

    ladder.hears(Pressure(predicted_wait_s=0.1, load_at_best=0.1, device=0.99, queued=queued), 10)

    assert ladder.stand.level is level


@pytest.mark.parametrize(
    ("wait_s", "kept_back", "level"),
    [(0.0, 0, Level.CONSERVE), (0.0, 3, Level.NORMAL), (None, 3, Level.CONSERVE)],
    ids=["nobody is kept back", "some are", "how long the others wait is unknown"],
)
def test_a_latency_that_operators_may_have_caused_is_no_reason_to_save(
    wait_s: float | None, kept_back: int, level: Level
) -> None:
    ladder = PureLadder()
    alerted = Pressure(
        predicted_wait_s=wait_s,
        load_at_best=0.95,
        queued=5,
        kept_back=kept_back,
        alerts=("task_latency/main",),
    )

    ladder.hears(alerted, 60)

    assert ladder.stand.level is level


@pytest.mark.parametrize(("kept_back", "level"), [(4, Level.CONSERVE), (5, Level.NORMAL)])
def test_a_full_device_does_not_count_while_only_those_wait_whom_an_operator_keeps_back(
    kept_back: int, level: Level
) -> None:
    ladder = PureLadder()
    full = Pressure(
        predicted_wait_s=0.1, load_at_best=0.1, device=0.99, queued=5, kept_back=kept_back
    )

    ladder.hears(full, 10)

    assert ladder.stand.level is level


def test_a_silent_device_lets_nothing_sink_and_a_long_wait_still_leads_up() -> None:
    ladder = PureLadder()
    silent = ("device/gpu-0",)

    ladder.hears(Pressure(predicted_wait_s=2.0, load_at_best=2.0, queued=9, unknown=silent), 3)
    ladder.hears(Pressure(predicted_wait_s=0.0, load_at_best=0.1, queued=0, unknown=silent), 30)

    assert ladder.stand.level is Level.DEGRADE


def test_a_step_says_why_with_its_figures_and_why_not_the_others() -> None:
    ladder = PureLadder()

    ladder.hears(Pressure(predicted_wait_s=0.61, load_at_best=1.2, queued=6, family="summarize"), 2)

    (change,) = ladder.changes
    wait = "the predicted wait of family summarize is 0.61 s"
    assert change.reason == f"{wait}, above 0.5 s for 1.0 s"
    assert {each.level: each.why_not for each in change.alternatives} == {
        Level.NORMAL: "there is a reason to go up, so the ladder neither stays nor goes down",
        Level.DEGRADE: f"one step at a time; {wait}, which is not above its 1.5 s",
        Level.SHED: f"one step at a time; {wait}, which is not above its 15 s",
    }
    assert (change.inputs.predicted_wait_s, change.hold_s) == (0.61, 4.0)


def test_an_override_is_recorded_with_all_its_steps() -> None:
    ladder = PureLadder()

    events = ladder.steps.overridden(
        override(Level.SHED), ladder.stand, CALM, at=ladder.at, applied_to=0
    )

    first, *steps = events
    assert isinstance(first, OverrideSet)
    assert first.until == ladder.at + 60.0
    assert [step.level for step in steps if isinstance(step, LevelChanged)] == LEVELS_ABOVE
    assert all(isinstance(step, LevelChanged) and "a drill" in step.reason for step in steps)


def test_after_an_override_the_signals_lead_back_step_by_step() -> None:
    ladder = PureLadder()
    for event in ladder.steps.overridden(
        override(Level.SHED, ttl_s=10.0), ladder.stand, CALM, at=ladder.at, applied_to=0
    ):
        ladder.stand = ladder.stand.evolve(event)

    ladder.hears(CALM, 10)
    ended = ladder.steps.expired(ladder.stand, at=ladder.at, applied_to=0)
    assert ended is not None
    ladder.stand = ladder.stand.evolve(ended)
    ladder.hears(CALM, 10)

    assert ended.reason == "expired"
    assert ladder.stand.level is Level.NORMAL
    assert [change.level for change in ladder.changes] == [
        Level.DEGRADE,
        Level.CONSERVE,
        Level.NORMAL,
    ]


def test_an_override_does_not_expire_early() -> None:
    ladder = PureLadder()
    (first, *_) = ladder.steps.overridden(
        override(Level.SHED, ttl_s=10.0), ladder.stand, CALM, at=0.0, applied_to=0
    )
    stand = ladder.stand.evolve(first)

    assert ladder.steps.expired(stand, at=9.9, applied_to=0) is None
    assert ladder.steps.expired(ladder.stand, at=99.0, applied_to=0) is None


@pytest.mark.parametrize("ttl_s", [-1.0, 0.0, 0.99, MAX_TTL_S + 1, 36e6])
def test_an_override_for_ever_or_for_no_time_is_refused(ttl_s: float) -> None:
    refusal = PureLadder().steps.refusal(override(Level.SHED, ttl_s=ttl_s))

    assert refusal is not None
    assert refusal.code == "ttl_out_of_range"
    assert "e+" not in refusal.message


@pytest.mark.parametrize("ttl_s", [1.0, MAX_TTL_S])
def test_an_override_within_its_range_is_taken(ttl_s: float) -> None:
    assert PureLadder().steps.refusal(override(Level.SHED, ttl_s=ttl_s)) is None


def test_the_numbers_are_settings() -> None:
    ladder = PureLadder(Rules(conserve_s=5.0, degrade_s=6.0, shed_s=7.0, up_hold_s=3.0))

    ladder.hears(waiting(5.5), 3)
    before = ladder.stand.level
    ladder.hears(waiting(5.5), 30)

    assert before is Level.NORMAL
    assert ladder.stand.level is Level.CONSERVE


LEVELS_ABOVE = [Level.CONSERVE, Level.DEGRADE, Level.SHED]
