"""What other services have recorded, as far as this pool's decisions stand on it."""

import pytest

from pointsman.contracts.events import Decision, DeviceMode
from pointsman.contracts.levels import LEVELS, Level
from pointsman.contracts.message import PriorityClass
from pointsman.scheduler.domain.influences import SHED_LATER_AFTER_S, Influences
from tests.support.influences import (
    boosted,
    canary,
    fallback_ended,
    fallback_started,
    level_changed,
    preferred,
    sampled,
    threshold_moved,
)
from tests.support.loading_world import LoadingWorld, loading_model
from tests.support.scheduling import (
    NOON,
    A,
    B,
    accepted,
    attached,
    given,
    granted_events,
    model,
)

INTERACTIVE, STANDARD = PriorityClass.INTERACTIVE, PriorityClass.STANDARD
BATCH, BACKGROUND = PriorityClass.BATCH, PriorityClass.BACKGROUND


def after(*recorded: Decision) -> Influences:
    influences = Influences("main")
    for position, event in enumerate(recorded, start=1):
        influences.evolve(position, event)
    return influences


def test_nothing_is_known_at_first() -> None:
    fresh = after()

    assert (fresh.level, fresh.level_cause()) == (Level.NORMAL, None)
    assert fresh.boost_of(INTERACTIVE) == 0.0
    assert fresh.threshold_of("summarize") == 0.0
    assert not fresh.fallbacks
    assert not fresh.canaries


@pytest.mark.parametrize("level", LEVELS[1:])
def test_a_level_is_cited_with_its_reason_and_its_place_in_the_log(level: Level) -> None:
    cause = after(preferred("fast", "best"), level_changed(level)).level_cause()

    assert cause is not None
    assert (cause.topic, cause.position) == ("degradation.level_changed.v1", 2)
    assert cause.detail == f"{level}, because the predicted wait of summarize is 2.4 s"


def test_back_at_normal_there_is_nothing_to_cite() -> None:
    influences = after(level_changed(Level.CONSERVE), level_changed(Level.NORMAL))

    assert influences.level is Level.NORMAL
    assert influences.level_cause() is None


@pytest.mark.parametrize(
    "elsewhere",
    [
        level_changed(Level.SHED, pool="other"),
        fallback_started("best", "fast", pool="other"),
        boosted(5.0, STANDARD, pool="other"),
    ],
    ids=lambda event: type(event).__name__,
)
def test_what_concerns_another_pool_changes_nothing(elsewhere: Decision) -> None:
    influences = after(elsewhere)

    assert influences.level is Level.NORMAL
    assert influences.fallbacks == {}
    assert influences.boost_of(STANDARD) == 0.0


def test_another_pools_fallback_does_not_end_ours() -> None:
    started = fallback_started("best", "fast")

    assert "best" in after(started, fallback_ended("best", pool="other")).fallbacks
    assert after(started, fallback_ended("best")).fallbacks == {}


def test_a_variant_without_a_viable_fallback_stays_in_use() -> None:
    assert after(fallback_started("best")).fallbacks == {}
    assert after(fallback_started("best", "fast"), fallback_started("best")).fallbacks == {}


def test_a_boost_holds_for_its_classes_until_it_is_set_to_nothing() -> None:
    given_boost = boosted(4.0, INTERACTIVE, STANDARD)

    assert after(given_boost).boost_of(STANDARD) == 4.0
    assert after(given_boost).boost_of(BATCH) == 0.0
    assert after(given_boost, boosted(0.0)).boost_of(STANDARD) == 0.0


def test_a_preference_is_withdrawn_by_an_empty_order() -> None:
    turned = preferred("fast", "best")

    assert after(turned).preferences["summarize"].event.order == ("fast", "best")
    assert after(turned, preferred()).preferences == {}
    assert "summarize" in after(turned, preferred(family="classify")).preferences


def test_a_threshold_speaks_of_its_family() -> None:
    influences = after(threshold_moved(0.4), threshold_moved(0.6))

    assert influences.threshold_of("summarize") == 0.6
    assert influences.threshold_of("classify") == 0.0


@pytest.mark.parametrize("level", LEVELS[:-1])
def test_only_the_last_rung_refuses_anybody(level: Level) -> None:
    influences = after(level_changed(level))

    assert all(influences.refused_class(c, NOON + 3600) is None for c in PriorityClass)


def test_background_work_is_refused_at_once_and_batch_work_when_that_was_not_enough() -> None:
    influences = after(level_changed(Level.SHED))

    def refused(at: float) -> set[PriorityClass]:
        return {c for c in PriorityClass if influences.refused_class(c, at) is not None}

    assert refused(NOON) == {BACKGROUND}
    assert refused(NOON + SHED_LATER_AFTER_S - 0.125) == {BACKGROUND}
    assert refused(NOON + SHED_LATER_AFTER_S) == {BACKGROUND, BATCH}


def test_a_device_whose_canary_answers_wrongly_gets_nothing_until_it_answers_rightly() -> None:
    history = given(model(), attached("gpu-0"), canary("gpu-0", healthy=False), (A, accepted()))
    assert history.round(NOON) == []

    history.append(B, canary("gpu-0", healthy=True))

    assert set(granted_events(history.round(NOON))) == {A}


def test_a_device_with_nothing_loaded_is_loaded_whatever_its_last_canary_said() -> None:
    world = LoadingWorld([loading_model("a")], {"gpu-0": DeviceMode.DEDICATED})
    world.history.append(B, canary("gpu-0", healthy=False))
    world.submit("a")

    world.run(100)
    before = len(world.pool.tasks)
    world.history.append(B, canary("gpu-0", healthy=True))
    world.run(200)

    assert [change.load for change in world.changes] == ["a"]
    assert (before, len(world.pool.tasks)) == (1, 0)


def test_why_a_device_was_not_taken_names_its_canary() -> None:
    history = given(
        model(),
        attached("gpu-0"),
        attached("gpu-1"),
        canary("gpu-0", healthy=False),
        (A, accepted()),
    )

    grant = granted_events(history.round(NOON))[A]

    assert grant.device == "gpu-1"
    (other,) = grant.explanation.others
    assert other.refused == "its canary answers wrongly (position 4)"


def test_the_cooler_of_two_devices_is_taken_and_the_samples_are_cited() -> None:
    history = given(
        model(),
        attached("gpu-0"),
        attached("gpu-1"),
        attached("gpu-2"),
        sampled("gpu-0", "s-0", temperature_c=40.0),
        sampled("gpu-1", "s-1", temperature_c=85.0),
        sampled("gpu-1", "s-2", temperature_c=80.0),
        (A, accepted()),
    )

    grant = granted_events(history.round(NOON))[A]

    assert grant.device == "gpu-0"
    assert grant.samples == ("s-0", "s-2")
    heat = {c.device: c.temperature for c in grant.explanation.others}
    assert heat == {"gpu-1": 0.2, "gpu-2": None}
