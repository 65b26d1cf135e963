"""What the readings say together."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.contracts.telemetry import FamilyLoad, PoolSample
from pointsman.degradation.domain.demand import Demand
from pointsman.degradation.domain.gauges import Gauges
from pointsman.degradation.domain.surroundings import AttachedDevice, StandingAlert, Surroundings
from tests.degradation.pure_ladder import NOON, reading, sample

GPU = AttachedDevice("gpu-0", "main", "gpu")
CPU = AttachedDevice("cpu-0", "main", "cpu")


def steady(per_s: float, seconds: int, gauges: Gauges | None = None) -> Gauges:
    gauges = gauges or Gauges()
    for second in range(seconds):
        at = NOON + second
        gauges.sampled(sample(at, accepted=round(per_s * second)), at)
    return gauges


@given(st.floats(min_value=1, max_value=500), st.integers(min_value=2, max_value=60))
def test_a_steady_demand_is_measured_as_it_is(per_s: float, seconds: int) -> None:
    pressure = steady(per_s, seconds).pressure(Surroundings(), "main", NOON + seconds - 1)

    # 10 slots of 0.1 s carry 100 a second.
    assert pressure.load_at_best == pytest.approx(per_s / 100, abs=0.011)


def test_before_there_are_two_samples_the_demand_is_unknown() -> None:
    gauges = steady(200, 1)

    pressure = gauges.pressure(Surroundings(), "main", NOON)

    assert pressure.load_at_best is None
    assert pressure.unknown == ("load_at_best",)


def test_a_new_leader_counts_from_zero_and_the_average_stays() -> None:
    gauges = steady(200, 20)

    for second in range(20, 24):
        gauges.sampled(sample(NOON + second, accepted=200 * (second - 20)), NOON + second)

    pressure = gauges.pressure(Surroundings(), "main", NOON + 23)
    assert pressure.load_at_best == pytest.approx(2.0)


def test_after_twice_the_load_has_ended_the_demand_falls_below_headroom_within_nine_seconds() -> (
    None
):
    demand, accepted = Demand(), 0.0
    heard = None
    for second in range(40):
        accepted += 200 if second < 31 else 50
        heard = sample(NOON + second, accepted=round(accepted))
        demand.sampled(heard)

    assert heard is not None
    load = demand.load_at_best(heard)
    assert load is not None
    assert 0.5 < load <= 0.8


def test_a_family_that_is_left_out_of_a_sample_makes_no_leap_when_it_returns() -> None:
    gauges = steady(100, 20)

    for second, family in enumerate(("other", "summarize", "other", "summarize"), start=20):
        heard = sample(NOON + second, accepted=100 * second, family=family)
        gauges.sampled(heard, NOON + second)

    load = gauges.pressure(Surroundings(), "main", NOON + 23).load_at_best
    assert load == pytest.approx(1.0, abs=0.15)


def test_samples_that_come_twice_or_late_change_nothing() -> None:
    gauges, again = steady(200, 20), steady(200, 20)

    gauges.sampled(sample(NOON + 19, accepted=9_999), NOON + 20)
    gauges.sampled(sample(NOON + 3, accepted=9_999), NOON + 20)

    assert gauges.pressure(Surroundings(), "main", NOON + 20) == again.pressure(
        Surroundings(), "main", NOON + 20
    )


@given(st.lists(st.floats(min_value=0, max_value=1e6), min_size=2, max_size=50))
def test_the_demand_is_never_negative_nor_above_the_greatest_difference(
    counts: list[float],
) -> None:
    demand = Demand()

    for second, count in enumerate(counts):
        demand.sampled(sample(NOON + second, accepted=round(count)))

    assert 0.0 <= demand.rate("summarize") <= max(counts) + 1


def test_the_greatest_load_is_of_a_family_with_demand_that_something_serves() -> None:
    gauges = Gauges()
    for second in range(10):
        families = tuple(
            FamilyLoad(
                family=family,
                queued=0,
                accepted=round(per_s * second),
                best="large" if slots else "",
                best_slots=slots,
                best_service_s=0.1,
                predicted_wait_s=wait_s,
            )
            for family, per_s, slots, wait_s in (
                ("idle", 0.0, 1, 0.0),
                ("busy", 5.0, 1, 0.2),
                ("unserved", 900.0, 0, None),
            )
        )
        heard = PoolSample(
            pool="main", at=NOON + second, applied_to=0, queued=3, granted=0, families=families
        )
        gauges.sampled(heard, NOON + second)

    pressure = gauges.pressure(Surroundings(), "main", NOON + 9)

    assert pressure.load_at_best == pytest.approx(0.5)
    assert (pressure.predicted_wait_s, pressure.family) == (0.2, "busy")
    assert pressure.unknown == ()


@pytest.mark.parametrize(
    ("queued", "kept_back", "wait_s"), [(0, 0, 0.0), (3, 0, None), (3, 2, None), (3, 3, 0.0)]
)
def test_where_nothing_serves_the_wait_is_known_only_if_nothing_waits_for_a_device(
    queued: int, kept_back: int, wait_s: float | None
) -> None:
    gauges = Gauges()
    heard = sample(NOON, wait_s=None, queued=queued, kept_back=kept_back, best_slots=0)
    gauges.sampled(heard, NOON)

    pressure = gauges.pressure(Surroundings(), "main", NOON)

    assert pressure.predicted_wait_s == wait_s
    assert (pressure.queued, pressure.kept_back) == (queued, kept_back)
    assert ("predicted_wait" in pressure.unknown) is (wait_s is None)


def test_a_sample_of_three_periods_ago_is_unknown() -> None:
    gauges = steady(50, 5)

    fresh = gauges.pressure(Surroundings(), "main", NOON + 4 + 3.0)
    stale = gauges.pressure(Surroundings(), "main", NOON + 4 + 3.1)

    assert fresh.unknown == ()
    assert (stale.unknown, stale.predicted_wait_s, stale.load_at_best) == (("pool",), None, None)


@pytest.mark.parametrize(
    ("device", "shown"), [(GPU, 0.9), (CPU, 0.3), (None, 0.3)], ids=["gpu", "cpu", "unheard-of"]
)
def test_the_use_of_a_gpu_counts_and_that_of_a_cpu_does_not(
    device: AttachedDevice | None, shown: float
) -> None:
    name = device.device if device is not None else "gpu-0"
    known = Surroundings(devices={name: device} if device is not None else {})
    gauges = Gauges()
    gauges.sampled(sample(NOON, devices=(name,)), NOON)
    gauges.measured(reading(name, utilisation=0.9, memory=0.3), NOON)

    pressure = gauges.pressure(known, "main", NOON)

    assert pressure.device == shown
    assert pressure.samples == (f"sample-of-{name}",)


def test_a_device_that_fell_silent_is_unknown_and_one_never_measured_is_no_input() -> None:
    gauges = Gauges()
    gauges.measured(reading("gpu-0", memory=0.3), NOON)
    gauges.measured(reading("absent", state="absent"), NOON)
    gauges.sampled(sample(NOON + 4, devices=("gpu-0", "gpu-1", "absent")), NOON + 4)

    pressure = gauges.pressure(Surroundings(), "main", NOON + 4)

    assert pressure.unknown == ("device/gpu-0", "load_at_best")
    assert pressure.device is None
    assert [(age.input, age.stale) for age in gauges.ages(NOON + 4)] == [
        ("pool", False),
        ("device/absent", True),
        ("device/gpu-0", True),
    ]


def test_a_device_that_left_the_pool_is_forgotten() -> None:
    gauges = Gauges()
    gauges.measured(reading("gpu-0", memory=0.3), NOON)

    gauges.sampled(sample(NOON + 9, devices=("gpu-1",)), NOON + 9)

    assert [age.input for age in gauges.ages(NOON + 9)] == ["pool"]


def test_alerts_count_that_speak_of_this_pool() -> None:
    known = Surroundings(
        alerts=(
            StandingAlert("error_rate", "main"),
            StandingAlert("gpu_memory", "gpu-0"),
            StandingAlert("gpu_memory", "theirs"),
            StandingAlert("task_latency", "summarize"),
        ),
        devices={"gpu-0": GPU, "theirs": AttachedDevice("theirs", "other", "gpu")},
    )

    pressure = steady(50, 5).pressure(known, "main", NOON + 4)

    assert pressure.alerts == ("gpu_memory/gpu-0", "task_latency/summarize")


def test_alerts_of_a_view_that_catches_up_are_of_the_past() -> None:
    known = Surroundings(position=10, alerts=(StandingAlert("task_latency", "main"),))
    gauges = Gauges()
    for second in range(6):
        gauges.sampled(sample(NOON + second, applied_to=500 + second), NOON + second)

    behind = gauges.pressure(known, "main", NOON + 5)
    a_moment_behind = gauges.pressure(
        Surroundings(position=503, alerts=known.alerts), "main", NOON + 5
    )

    assert (behind.alerts, behind.unknown) == ((), ("feed",))
    assert (a_moment_behind.alerts, a_moment_behind.unknown) == (("task_latency/main",), ())


def test_free_memory_is_what_fresh_readings_say() -> None:
    gauges = Gauges()
    gauges.measured(reading("gpu-0", memory=0.25), NOON)
    gauges.measured(reading("gpu-1"), NOON)

    assert gauges.free_mib(NOON) == {"gpu-0": 750.0}
    assert gauges.free_mib(NOON + 4) == {}


def cold(*, queued: int, load_wait_s: float | None = 22.5, kept_back: int = 0) -> PoolSample:
    family = FamilyLoad(
        family="summarize",
        queued=queued,
        accepted=queued,
        best="",
        best_slots=0,
        best_service_s=0.0,
        predicted_wait_s=None,
        load_wait_s=load_wait_s,
        load_s=0.0 if load_wait_s is None else 20.0,
        kept_back=kept_back,
    )
    return PoolSample(
        pool="main", at=NOON, applied_to=0, queued=queued, granted=0, families=(family,)
    )


@pytest.mark.parametrize(
    ("heard", "wait_s"),
    [
        (cold(queued=5), 2.5),
        (cold(queued=0), 0.0),
        (cold(queued=5, kept_back=5), 0.0),
        (cold(queued=5, load_wait_s=None), None),
        (cold(queued=5, load_wait_s=None, kept_back=5), 0.0),
    ],
    ids=["a queue", "nobody", "kept back", "nothing can be loaded", "paused"],
)
def test_of_a_cold_family_the_queue_counts_and_neither_its_load_nor_a_pause(
    heard: PoolSample, wait_s: float | None
) -> None:
    gauges = Gauges()
    gauges.sampled(heard, NOON)

    assert gauges.pressure(Surroundings(), "main", NOON).predicted_wait_s == wait_s
