"""What a simulation repeats of a recorded time and what it does not: both are told."""

from pointsman.contracts import events
from pointsman.contracts.levels import Level
from pointsman.contracts.streams import stream_id
from pointsman.time_machine.whatif.surroundings import NOT_REPEATED, REPEATED
from tests.support.failing import MODEL_ERROR, fail
from tests.support.recorded_loads import DEVICE, POOL, asked, by_ada, load_of, one_device
from tests.support.scheduling import NOON, A, attached, suspended


def test_what_happened_is_counted_by_its_name() -> None:
    history = one_device((A, asked()))
    fail(history, range(1, 6), at=NOON + 1, outcome=MODEL_ERROR)
    history.round(NOON + 2)
    history.append(POOL, by_ada(events.ModelLimited, NOON + 3, variant="fast", running=1))
    history.append(POOL, by_ada(events.ModelLimited, NOON + 4, variant="fast"))
    history.append(DEVICE, by_ada(events.DrainStarted, NOON + 5, device="cpu-0"))
    history.append(DEVICE, suspended())
    history.append(DEVICE, attached(incarnation="second"))

    load = load_of(history)

    assert (set(load.repeated), set(load.not_repeated)) == (set(REPEATED), set(NOT_REPEATED))
    assert load.repeated["limits of models"] == load.repeated["drains of devices"] == 1
    assert load.repeated["devices that stopped serving"] == 1
    assert load.repeated["devices that came back"] == 1
    assert load.not_repeated["breakers that opened"] == 1
    assert load.not_repeated["attempts that failed"] >= 5
    assert load.not_repeated["hedges"] == 0


def test_what_stood_when_the_time_began_counts_and_what_was_over_does_not() -> None:
    history = one_device()
    history.append(
        stream_id("tenant", "acme"), by_ada(events.TenantSet, NOON, tenant="acme", weight=2.0)
    )
    history.append(POOL, by_ada(events.ModelLimited, NOON + 1, variant="fast", running=1))
    history.append(POOL, by_ada(events.ModelLimited, NOON + 2, variant="fast"))
    history.append(DEVICE, suspended())

    counts = load_of(history, begin=NOON + 10).repeated

    assert counts["weights and limits of tenants"] == 1
    assert counts["limits of models"] == counts["devices that stopped serving"] == 0


def test_the_ladder_counts_only_above_normal() -> None:
    history = one_device()
    for at, before, level in ((1, Level.NORMAL, Level.CONSERVE), (2, Level.CONSERVE, Level.NORMAL)):
        moved = events.LevelChanged(
            at=NOON + at,
            applied_to=0,
            pool="main",
            before=before,
            level=level,
            trigger="wait_long",
            reason="why not",
            inputs=events.Pressure(),
        )
        history.append(stream_id("degradation", "main"), moved)

    assert load_of(history).not_repeated["levels of the ladder"] == 1
