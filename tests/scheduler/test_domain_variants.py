"""Which variants a task may get now, in which order, and what is said to have turned it."""

from uuid import UUID

import pytest
from hypothesis import given as over
from hypothesis import strategies as st

from pointsman.contracts.events import Decision, TaskGranted
from pointsman.contracts.levels import LEVELS, Level
from pointsman.scheduler.domain.rounds.variants import in_use, order_variants
from tests.support.influences import (
    fallback_started,
    level_changed,
    preferred,
    threshold_moved,
)
from tests.support.scheduling import (
    NOON,
    A,
    B,
    History,
    accepted,
    attached,
    given,
    granted_events,
    model,
)

QUALITY = {"best": 0.9, "good": 0.7, "fast": 0.5, "tiny": 0.2}
ALL = tuple(QUALITY)
MODELS = tuple(model(name, quality=quality) for name, quality in QUALITY.items())
DUE = NOON + 30


def serving(*recorded: Decision, variants: tuple[str, ...] = ALL, slots: int = 1) -> History:
    """One device per variant, and what others have recorded."""
    devices = [attached(f"d-{name}", variants=(name,), slots=slots) for name in variants]
    return given(*MODELS, *devices, *recorded)


def usable(history: History, admissible: tuple[str, ...] = ALL) -> list[str]:
    loaded = [name for device in history.pool.devices.values() for name in device.slots_of]
    return order_variants(history.pool, ("summarize", admissible), loaded).usable()


def grant_of(
    history: History, admissible: tuple[str, ...] = ALL, *, at: float = DUE
) -> TaskGranted:
    history.append(A, accepted(variants=admissible))
    return granted_events(history.round(at))[A]


def cited(grant: TaskGranted) -> list[str]:
    return [cause.topic.split(".")[1] for cause in grant.explanation.causes]


def test_without_any_influence_the_registered_quality_orders() -> None:
    grant = grant_of(serving())

    assert grant.variant == "best"
    assert (grant.explanation.causes, grant.explanation.level) == ((), "")


def test_ratings_put_another_variant_first_and_are_cited() -> None:
    grant = grant_of(serving(preferred("fast", "best")))

    assert grant.variant == "fast"
    (cause,) = grant.explanation.causes
    assert (cause.topic, cause.position) == ("quality.preference_changed.v1", 9)
    assert cause.detail == "ratings put fast before best: their intervals have parted"


def test_rated_variants_exchange_their_places_and_the_others_keep_theirs() -> None:
    history = serving(preferred("tiny", "best"))

    assert usable(history) == ["tiny", "good", "fast", "best"]
    assert usable(history, ("best", "good")) == ["best", "good"]


def test_what_ratings_turned_is_named_where_it_was_turned() -> None:
    grant = grant_of(serving(preferred("fast", "good")))

    assert grant.variant == "best"
    assert grant.explanation.causes[0].detail.startswith("ratings put fast before good")
    assert grant_of(serving(preferred("best", "fast"))).explanation.causes == ()


def test_a_preferred_variant_is_worth_waiting_for_like_the_best() -> None:
    history = serving(preferred("fast", "best"))
    history.append(B, accepted(variants=("fast",)))
    history.round(NOON)

    history.append(A, accepted(variants=("best", "fast")))

    assert history.round(NOON + 1) == []


def test_among_equals_in_quality_the_more_suitable_device_wins() -> None:
    history = given(
        model("a", quality=0.5),
        model("b", quality=0.5),
        attached("d-a", variants=("a",), slots=2),
        attached("d-b", variants=("b",), slots=2),
        (B, accepted(variants=("a",))),
    )
    history.round(NOON)

    assert grant_of(history, ("a", "b")).variant == "b"


def test_a_failing_variant_is_passed_over_with_its_reason() -> None:
    grant = grant_of(serving(fallback_started("best", "good", "fast")))

    assert grant.variant == "good"
    (cause,) = grant.explanation.causes
    assert cause.topic == "degradation.fallback_started.v1"
    refused = {other.variant: other.refused for other in grant.explanation.others}
    assert refused["best"] == cause.detail
    assert "passed over after 3 failure(s) in a row (unavailable)" in cause.detail


def test_a_failing_variant_stays_in_use_where_no_viable_one_is_served_or_admitted() -> None:
    started = fallback_started("best", "good")

    assert grant_of(serving(started, variants=("best", "fast"))).variant == "best"
    assert grant_of(serving(started), ("best", "tiny")).variant == "best"


def test_of_two_that_fail_the_one_that_the_other_falls_back_to_stays() -> None:
    history = serving(
        fallback_started("best", "good"),
        fallback_started("good", "best"),
        variants=("best", "good"),
    )

    assert usable(history, ("best", "good")) == ["good"]


def test_from_conserve_on_a_smaller_variant_that_is_free_is_taken_at_once() -> None:
    history = serving(level_changed(Level.CONSERVE), variants=("best", "fast"))
    assert usable(history)[0] == "best"
    history.append(B, accepted(variants=("best",)))
    history.round(NOON)

    grant = grant_of(history, ("best", "fast"), at=NOON + 1)

    assert (grant.variant, grant.explanation.level) == ("fast", "conserve")
    assert cited(grant) == ["level_changed"]


@pytest.mark.parametrize("level", [Level.DEGRADE, Level.SHED])
def test_at_degrade_the_next_smaller_variant_is_taken(level: Level) -> None:
    grant = grant_of(serving(level_changed(level)))

    assert (grant.variant, grant.explanation.level) == ("good", level)
    assert cited(grant) == ["level_changed"]
    refused = {other.variant: other.refused for other in grant.explanation.others}
    assert refused["best"] == f"the ladder stands at {level}: good is next"
    assert refused["fast"] is None


def test_the_ladder_does_not_go_below_the_threshold() -> None:
    history = serving(level_changed(Level.DEGRADE), threshold_moved(0.6))

    assert usable(history) == ["good"]
    assert usable(history, ("best", "fast")) == ["best", "fast"]


def test_the_ladder_goes_down_from_what_serves() -> None:
    history = serving(level_changed(Level.DEGRADE), variants=("good", "tiny"))

    assert usable(history) == ["tiny"]


def test_ratings_and_the_ladder_go_down_from_the_preferred_one() -> None:
    history = serving(level_changed(Level.DEGRADE), preferred("good", "best"))

    assert usable(history) == ["fast", "tiny"]
    assert usable(history, ("best", "good")) == ["good"]


def test_where_ratings_prefer_the_smallest_the_ladder_gives_up_the_largest() -> None:
    history = serving(level_changed(Level.DEGRADE), threshold_moved(0.6), preferred("tiny", "best"))

    assert usable(history) == ["tiny", "good", "fast"]


def test_a_level_that_allowed_more_is_cited_though_nothing_smaller_was_there() -> None:
    history = serving(level_changed(Level.DEGRADE), threshold_moved(0.95))
    history.append(B, accepted(variants=("best",)))
    history.round(NOON)

    grant = grant_of(history, at=NOON + 1)

    assert (grant.variant, cited(grant)) == ("good", ["level_changed"])


def test_every_influence_that_turned_a_grant_is_cited() -> None:
    grant = grant_of(
        serving(
            preferred("good", "best"), fallback_started("good", "fast"), level_changed(Level.SHED)
        )
    )

    assert cited(grant) == ["preference_changed", "fallback_started", "level_changed"]
    assert grant.variant == "fast"


NAMES = st.sampled_from(ALL)
INFLUENCES = st.lists(
    st.one_of(
        st.sampled_from(LEVELS).map(level_changed),
        st.lists(NAMES, unique=True, max_size=4).map(lambda order: preferred(*order)),
        st.tuples(NAMES, st.lists(NAMES, unique=True, max_size=3)).map(
            lambda drawn: fallback_started(drawn[0], *(v for v in drawn[1] if v != drawn[0]))
        ),
        st.sampled_from([0.0, 0.3, 0.6, 0.8, 1.0]).map(threshold_moved),
    ),
    max_size=6,
)
SERVED = st.lists(NAMES, unique=True, min_size=1).map(tuple)
MIN_QUALITY = st.sampled_from([0.0, 0.3, 0.6, 0.9])


@over(influences=INFLUENCES, variant=NAMES, more=SERVED)
def test_a_caller_that_admits_one_variant_always_gets_it(
    influences: list[Decision], variant: str, more: tuple[str, ...]
) -> None:
    history = serving(*influences, variants=tuple(dict.fromkeys((variant, *more))))

    assert grant_of(history, (variant,), at=NOON).variant == variant


@over(influences=INFLUENCES, served=SERVED, min_quality=MIN_QUALITY, count=st.integers(1, 6))
def test_a_variant_below_what_the_caller_asks_for_is_never_used(
    influences: list[Decision], served: tuple[str, ...], min_quality: float, count: int
) -> None:
    history = serving(*influences, variants=served)
    admissible = tuple(name for name in ALL if QUALITY[name] >= min_quality)
    for n in range(1, count + 1):
        history.append(UUID(int=n), accepted(variants=admissible))

    grants = granted_events(history.round(DUE)).values()

    assert all(QUALITY[grant.variant] >= min_quality for grant in grants)
    assert bool(grants) == bool(set(served) & set(admissible))


@over(influences=INFLUENCES, served=SERVED, level=st.sampled_from([Level.DEGRADE, Level.SHED]))
def test_the_best_that_serves_is_not_taken_where_the_ladder_may_go_down(
    influences: list[Decision], served: tuple[str, ...], level: Level
) -> None:
    history = serving(*influences, level_changed(level), variants=served, slots=2)
    at_normal = usable(serving(*influences, level_changed(Level.NORMAL), variants=served))
    in_order = [name for name in ALL if name in served and name in at_normal]
    threshold = history.pool.influences.threshold_of("summarize")
    down = [name for name in in_order[1:] if QUALITY[name] >= threshold]
    for n in range(1, 7):
        history.append(UUID(int=n), accepted(variants=ALL))

    grants = granted_events(history.round(DUE)).values()

    if down:
        assert in_order[0] not in {grant.variant for grant in grants}


@over(influences=INFLUENCES, served=SERVED, at=st.sampled_from([NOON, DUE]))
def test_a_grant_at_another_level_than_normal_cites_it_wherever_there_was_a_choice(
    influences: list[Decision], served: tuple[str, ...], at: float
) -> None:
    history = serving(*influences, variants=served)
    level = history.pool.influences.level
    for n in range(1, 6):
        history.append(UUID(int=n), accepted(variants=ALL))

    for grant in granted_events(history.round(at)).values():
        why = grant.explanation
        ladder = [o for o in why.others if o.refused and "the ladder stands" in o.refused]
        smaller = grant.variant != max(served, key=lambda name: QUALITY[name])
        assert why.level == ("" if level is Level.NORMAL else level)
        assert ("level_changed" in cited(grant)) <= (level is not Level.NORMAL)
        if ladder or (smaller and at < DUE and level is not Level.NORMAL):
            assert why.causes
        assert all(0 < cause.position <= grant.applied_to for cause in why.causes)


@over(influences=INFLUENCES, served=SERVED)
def test_refusals_leave_a_variant_that_serves(
    influences: list[Decision], served: tuple[str, ...]
) -> None:
    history = serving(*influences, variants=served)

    assert set(usable(history)) & set(served)
    assert in_use(history.pool, "summarize", served) in served
