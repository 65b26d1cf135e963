"""Limits, pauses and leaders that were away, as the simulation takes them."""

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.contracts import events
from pointsman.contracts.events import Decision, ScopeKind
from pointsman.time_machine.circumstances import (
    Circumstance,
    ModelLimited,
    PoolStops,
    TenantLimited,
)
from pointsman.time_machine.whatif.kept_back import Intake, KeptBack, closings, overlap_s
from tests.support.recorded_loads import by_ada
from tests.support.scheduling import NOON

END: Final = NOON + 100
MODELS: Final = {"summarize": ["fast", "small"], "embed": ["other"]}


def repeated(*happened: tuple[Decision, float]) -> list[Circumstance]:
    """What comes of events, each with the time at which anything was seen before it."""
    kept_back = KeptBack()
    for event, seen_at in happened:
        kept_back.take(event, seen_at)
    return [each._replace(at=each.at - NOON) for each in kept_back.circumstances(END, MODELS)]


def paused(at: float, kind: ScopeKind, name: str) -> tuple[Decision, float]:
    return by_ada(events.PoolPaused, NOON + at, kind=kind, name=name), NOON + at


def resumed(at: float, kind: ScopeKind, name: str) -> tuple[Decision, float]:
    return by_ada(events.PoolResumed, NOON + at, kind=kind, name=name), NOON + at


def limited(at: float, running: int | None) -> tuple[Decision, float]:
    return by_ada(events.ModelLimited, NOON + at, variant="fast", running=running), NOON + at


def test_a_limit_stands_until_it_is_taken_back() -> None:
    assert repeated(limited(1, 2), limited(9, None))[:2] == [
        ModelLimited(1, "fast", 2),
        ModelLimited(9, "fast", None),
    ]


def test_a_pause_of_a_family_is_one_of_its_models_and_leaves_their_limits() -> None:
    family = ScopeKind.FAMILY, "summarize"

    found = repeated(limited(1, 2), paused(3, *family), resumed(5, *family), limited(7, None))

    assert found[1:5] == [
        ModelLimited(3, "fast", 0),
        ModelLimited(3, "small", 0),
        ModelLimited(5, "fast", 2),
        ModelLimited(5, "small", None),
    ]


def test_of_two_pauses_of_a_model_the_last_to_end_counts() -> None:
    family, model = (ScopeKind.FAMILY, "embed"), (ScopeKind.MODEL, "other")

    found = repeated(paused(1, *family), paused(2, *model), resumed(3, *family), resumed(4, *model))

    assert [each.running for each in found if isinstance(each, ModelLimited)] == [0, 0, 0, None]


def test_a_tenant_has_its_weight_and_its_limit_and_may_be_paused() -> None:
    tenant = ScopeKind.TENANT, "acme"
    set_ = by_ada(events.TenantSet, NOON + 1, tenant="acme", weight=2.0, running=3)

    found = repeated((set_, NOON), paused(2, *tenant), resumed(4, *tenant))

    assert found == [
        TenantLimited(1, "acme", 3, 2.0),
        TenantLimited(2, "acme", 0, 2.0),
        TenantLimited(4, "acme", 3, 2.0),
        TenantLimited(100, "acme", None, 2.0),
    ]


@pytest.mark.parametrize(
    ("kind", "name"), [(ScopeKind.POOL, "main"), (ScopeKind.MODEL, "fast"), (ScopeKind.TENANT, "a")]
)
def test_what_is_paused_at_the_end_of_the_time_may_begin_then(kind: ScopeKind, name: str) -> None:
    begins, ends = repeated(paused(1, kind, name))

    assert (begins.at, ends.at) == (1, 100)
    assert getattr(ends, "running", None) is None
    assert not getattr(ends, "stops", False)


def test_what_is_closed_is_closed_until_something_may_begin() -> None:
    family = ScopeKind.FAMILY, "embed"

    found = repeated(limited(1, 0), limited(4, 0), limited(6, 2), paused(7, *family))

    assert closings(found) == {"fast": [(1, 6)], "other": [(7, 100)]}


def elected(at: float) -> events.LeaderElected:
    return events.LeaderElected(at=NOON + at, applied_to=0, pool="main", epoch=1, holder="here")


def test_nobody_decides_from_the_last_sign_of_anybody_to_the_next_election() -> None:
    found = repeated((elected(0), 0.0), (elected(50), NOON + 44))

    assert found == [
        PoolStops(44, "nobody leads it", stops=True),
        PoolStops(50, "nobody leads it", stops=False),
    ]


def test_a_round_finds_all_that_has_arrived_at_once() -> None:
    intake = Intake()
    for at in (1.0, 1.01, 1.02):
        intake.accepted(at)
    intake.decided(1.025)

    intake.accepted(7.0)
    intake.decided(7.001)
    for at in (9.0, 9.9):
        intake.accepted(at)
    intake.decided(9.901)

    assert intake.spells == [(1.0, 1.02)]


@given(
    spells=st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)).map(sorted), max_size=6),
    since=st.integers(0, 50),
    length=st.integers(0, 50),
)
def test_overlapping_spells_count_once(spells: list[list[int]], since: int, length: int) -> None:
    covered = {second for begin, end in spells for second in range(begin, end)}

    found = overlap_s([(begin, end) for begin, end in spells], since, since + length)

    assert found == len(covered & set(range(since, since + length)))
