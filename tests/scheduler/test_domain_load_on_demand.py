"""The leader's reading where models are loaded on demand, and where an operator keeps work back."""

from collections import Counter
from math import ceil
from uuid import UUID

import msgspec
import pytest
from hypothesis import given as over
from hypothesis import settings
from hypothesis import strategies as st

from pointsman.contracts.events import ScopeKind
from pointsman.contracts.steering import SteeringCommand
from pointsman.contracts.streams import stream_id
from pointsman.contracts.telemetry import FamilyLoad
from pointsman.policy.batching import batch_s, largest
from pointsman.scheduler.domain.load import sample_load
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.rounds.variants import in_use, serving_devices
from tests.support.asked_residency import a_pool, dedicated
from tests.support.busy_day import busy_day
from tests.support.scheduling import NOON, A, B, C, History, accepted, attached, suspended
from tests.support.steering import drain, limit, pause, steered


def family(history: History, name: str = "slow") -> FamilyLoad:
    sample = sample_load(history.pool, at=NOON)
    return next(load for load in sample.families if load.family == name)


def waits_for(history: History, name: str, *tasks: UUID, tenant: str = "acme") -> None:
    for task in tasks:
        history.append(task, accepted(family=name, variants=(name,), tenant=tenant))


def test_a_cold_family_waits_for_its_load_and_for_those_before() -> None:
    history = a_pool(dedicated())
    waits_for(history, "slow", A, B)

    load = family(history)

    assert (load.best, load.predicted_wait_s) == ("", None)
    times = history.pool.models.times_of("slow")
    assert load.load_s == times.load_s > 0
    assert load.load_wait_s == pytest.approx(times.load_s + 2 * times.runs.p50_s)


@pytest.mark.parametrize(
    "command",
    [
        drain("gpu-0"),
        pause(ScopeKind.FAMILY, "slow"),
        pause(ScopeKind.MODEL, "slow"),
    ],
    ids=["drain", "family", "model"],
)
def test_what_an_operator_lets_nobody_load_has_no_wait(command: SteeringCommand) -> None:
    history = a_pool(dedicated())
    steered(history, command)

    assert (family(history).load_wait_s, family(history).load_s) == (None, 0.0)


def test_a_device_with_fixed_models_loads_nothing() -> None:
    assert family(a_pool(attached("cpu-0"))).load_wait_s is None


@pytest.mark.parametrize(
    ("command", "kept_back"),
    [
        (pause(ScopeKind.POOL, "main"), 3),
        (pause(ScopeKind.FAMILY, "fast"), 3),
        (pause(ScopeKind.MODEL, "fast"), 3),
        (pause(ScopeKind.TENANT, "acme"), 2),
        (pause(ScopeKind.TENANT, "nobody"), 0),
        (limit("fast", 0), 3),
        (limit("fast", 1), 0),
    ],
    ids=["pool", "family", "model", "tenant", "another tenant", "at its limit", "below its limit"],
)
def test_what_an_operator_keeps_back_is_queued_and_before_nobody(
    command: SteeringCommand, kept_back: int
) -> None:
    history = a_pool(attached("cpu-0"))
    waits_for(history, "fast", A, B)
    waits_for(history, "fast", C, tenant="other")
    free_s = family(history, "fast").predicted_wait_s or 0.0
    assert free_s == pytest.approx(3 * history.pool.models.run_times_of("fast").p50_s)

    steered(history, command)

    load = family(history, "fast")
    assert (load.queued, load.kept_back) == (3, kept_back)
    assert (load.predicted_wait_s or 0.0) == pytest.approx(free_s * (3 - kept_back) / 3)


@pytest.mark.parametrize(
    ("drained", "kept_back"),
    [(("cpu-0",), 0), (("cpu-0", "gpu-0"), 2), (("cpu-0", "gpu-0", "gpu-1"), 2)],
    ids=["another one could load it", "nobody else could", "as little"],
)
def test_whoever_only_drained_devices_could_serve_is_kept_back_by_an_operator(
    drained: tuple[str, ...], kept_back: int
) -> None:
    other = msgspec.structs.replace(attached("gpu-1"), residency=())
    history = a_pool(attached("cpu-0"), dedicated(), other)
    waits_for(history, "fast", A, B)

    for device in drained:
        steered(history, drain(device))

    load = family(history, "fast")
    assert (load.queued, load.kept_back) == (2, kept_back)
    assert (load.predicted_wait_s, load.best) == (None, "")


def test_a_drain_beside_a_device_that_is_away_is_not_what_keeps_tasks_back() -> None:
    history = a_pool(attached("cpu-0"), attached("gpu-0"))
    history.append(stream_id("device", "gpu-0"), suspended("gpu-0"))
    waits_for(history, "fast", A)

    steered(history, drain("cpu-0"))

    assert family(history, "fast").kept_back == 0


@settings(max_examples=25, deadline=None)
@over(seed=st.integers(0, 10_000), steps=st.integers(0, 120))
def test_where_nobody_steers_devices_with_fixed_models_read_as_the_rule_says(
    seed: int, steps: int
) -> None:
    day = busy_day(seed, steps=steps)

    sample = sample_load(day.pool, at=day.now)

    for load in sample.families:
        assert (load.load_wait_s, load.load_s, load.kept_back) == (None, 0.0, 0)
        assert load.predicted_wait_s == plain_wait_s(day.pool, load.family, load.queued)


@settings(max_examples=25, deadline=None)
@over(
    seed=st.integers(0, 10_000),
    steps=st.integers(0, 120),
    kind=st.sampled_from([ScopeKind.FAMILY, ScopeKind.MODEL, ScopeKind.TENANT, ScopeKind.POOL]),
    pick=st.integers(0, 99),
)
def test_a_pause_makes_no_family_wait_longer_for_its_own_queue(
    seed: int, steps: int, kind: ScopeKind, pick: int
) -> None:
    day = busy_day(seed, steps=steps)
    names = {
        ScopeKind.FAMILY: day.pool.models.families(),
        ScopeKind.MODEL: sorted(day.pool.models),
        ScopeKind.TENANT: sorted(day.pool.queued_of) or ["acme"],
        ScopeKind.POOL: ["main"],
    }[kind]
    before = sample_load(day.pool, at=day.now)

    steered(day.history, pause(kind, names[pick % len(names)]), at=day.now)

    after = sample_load(day.pool, at=day.now)
    assert after.queued == before.queued
    for old, new in zip(before.families, after.families, strict=True):
        assert new.queued == old.queued
        assert 0 <= new.kept_back <= new.queued
        # A paused variant leaves another one to those that may still run; its time is that one's.
        if new.best == old.best and kind is not ScopeKind.MODEL:
            assert (new.predicted_wait_s or 0.0) <= (old.predicted_wait_s or 0.0)


def plain_wait_s(pool: Pool, name: str, waiting: int) -> float | None:
    """The work before a new task over the slots for it, with what devices have loaded."""
    slots = Counter[str]()
    for device in serving_devices(pool):
        for variant, count in device.slots_of.items():
            slots[variant] += min(count, device.offer.slots)
    serving = [model.variant for model in pool.models.family(name) if slots[model.variant]]
    if not serving:
        return None
    used = in_use(pool, name, serving)
    alone, added = pool.models.run_times_of(used), pool.models.added_times_of(used)
    most = max((d.max_batch_of.get(used, 1) for d in serving_devices(pool)), default=1)
    size = min(largest(alone, added, most), ceil(waiting / slots[used]) or 1)
    call_s = batch_s(alone.p50_s, added.p50_s, size) + pool.turnaround.p50_s
    return round(waiting * call_s / size / slots[used], 6)
