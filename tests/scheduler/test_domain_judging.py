"""How complex a task is, what that is read from, and which variant a simple one gets."""

from uuid import UUID

import msgspec
import pytest
from hypothesis import given as over
from hypothesis import settings
from hypothesis import strategies as st

from pointsman.contracts.events import RoutingChanged, TaskAccepted, TaskCompleted
from pointsman.contracts.message import BlobRef
from pointsman.contracts.routing import Judgement
from pointsman.contracts.streams import stream_id
from pointsman.scheduler.domain.admission.submitting import decide_submit
from pointsman.scheduler.domain.attachment import decide_routing
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.snapshot.facts import facts_of, restore
from tests.support.influences import sampled
from tests.support.routing import routing
from tests.support.scheduling import (
    NOON,
    A,
    B,
    History,
    attached,
    folded,
    given,
    model,
    submission,
)

MODELS = (
    model("best", quality=0.9, service_s=1.0),
    model("good", quality=0.7, service_s=0.2),
    model("poor", quality=0.3, service_s=0.1),
)


def payload(size: int) -> BlobRef:
    return BlobRef(digest="ab" * 32, size=size, media_type="text/plain")


def admitted(pool: Pool, size: int = 40, **change: object) -> TaskAccepted:
    task = msgspec.structs.replace(submission(), **change)
    decided = decide_submit(pool, task, payload(size), at=NOON)
    assert isinstance(decided, TaskAccepted)
    return decided


def judgement(accepted: TaskAccepted) -> Judgement:
    assert accepted.judged is not None
    return accepted.judged


def completed(history: History, task: UUID, *, size: int, result: int, run_s: float) -> None:
    """One task from its acceptance to its result."""
    history.append(task, admitted(history.pool, size))
    history.round(NOON + 60)
    history.append(task, done(history, task, run_s=run_s, size=result))


def done(history: History, task: UUID, *, run_s: float, size: int) -> TaskCompleted:
    """The end of a task's first attempt."""
    lease = history.pool.tasks[task].lease
    assert lease is not None
    return TaskCompleted(
        at=NOON + 61,
        applied_to=history.pool.applied_to,
        attempt=1,
        device=lease.device,
        variant=lease.variant,
        result=BlobRef(digest="cd" * 32, size=size, media_type="text/plain"),
        queue_s=60.0,
        run_s=run_s,
    )


def test_a_pool_without_routing_file_judges_by_the_default_scale() -> None:
    accepted = admitted(given(*MODELS).pool)

    judged = judgement(accepted)
    assert (accepted.band, accepted.complexity) == ("simple", 0.0)
    assert (judged.scale_from, judged.output_from) == ("default", "unknown")
    assert (judged.variant, judged.run_s, judged.run_from) == ("best", 1.0, "registry")
    assert (judged.tier, judged.device, judged.cost_usd) == ("", "", None)


@pytest.mark.parametrize(
    ("size", "band", "tier", "device"),
    [
        (40, "simple", "cheap", "small"),
        (800, "medium", "middle", "small"),
        (8000, "complex", "dear", "large"),
    ],
)
def test_the_declared_scale_and_tiers_hold(size: int, band: str, tier: str, device: str) -> None:
    accepted = admitted(given(*MODELS, routing()).pool, size)

    judged = judgement(accepted)
    assert (accepted.band, judged.tier, judged.device) == (band, tier, device)
    assert (judged.input_tokens, judged.output_tokens) == (size // 4, 5)
    assert (judged.scale_from, judged.output_from) == ("declared", "declared")


def test_the_output_that_a_sender_allows_for_counts() -> None:
    pool = given(*MODELS, routing()).pool

    short, long = (admitted(pool, parameters={"max_tokens": n}) for n in ("10", "1000"))

    assert (short.band, long.band) == ("simple", "complex")
    assert judgement(long).output_from == "asked"


def test_on_a_cpu_the_tiers_time_is_expected_to_be_shorter() -> None:
    on_cpu = given(*MODELS, routing(), attached(variants=("best",))).pool
    elsewhere = given(*MODELS, routing()).pool

    # The cheap tier is declared to be ten times as fast as a CPU, at 3.6 USD an hour.
    assert judgement(admitted(on_cpu)).tier_s == 0.1
    assert judgement(admitted(on_cpu)).cost_usd == pytest.approx(0.0001)
    assert judgement(admitted(elsewhere)).tier_s == 1.0


def test_energy_is_estimated_where_a_device_reports_its_power() -> None:
    reading = msgspec.structs.replace(sampled("cpu-0", "s-1"), power_w=50.0)
    devices = (attached(variants=("best",)), reading)

    assert judgement(admitted(given(*MODELS, *devices).pool)).joules == 50.0
    assert judgement(admitted(given(*MODELS).pool)).joules is None


def trained(runs: int = 6) -> History:
    """Tasks of one size have run on the only device."""
    history = given(*MODELS, attached(variants=("best",)))
    for number in range(runs):
        completed(history, UUID(int=number + 1), size=400, result=80, run_s=3.0)
    return history


def test_completed_runs_teach_output_and_time_by_size() -> None:
    pool = trained().pool

    like_them, larger = admitted(pool, 400), admitted(pool, 40_000)

    assert judgement(like_them).output_tokens == 20
    assert judgement(like_them).output_from == "learned"
    assert (judgement(like_them).run_s, judgement(like_them).run_from) == (3.0, "size")
    assert judgement(larger).run_from == "variant"
    assert judgement(like_them).runs == 6


def test_the_error_of_earlier_estimates_is_told() -> None:
    # The registry said 1 s, the runs took 3 s; from the sixth on the estimate is right.
    assert judgement(admitted(trained().pool)).off == pytest.approx(3.0)
    assert judgement(admitted(trained(runs=30).pool)).off == pytest.approx(1.0)


runs = st.lists(st.tuples(st.integers(1, 60_000), st.integers(0, 60_000)), max_size=50)


@settings(deadline=None)
@over(runs=runs, size=st.integers(1, 200_000), more=st.integers(0, 200_000), declared=st.booleans())
def test_a_longer_input_is_never_simpler_in_one_family(
    runs: list[tuple[int, int]], size: int, more: int, *, declared: bool
) -> None:
    pool = given(*MODELS, *([routing()] if declared else [])).pool
    for given_bytes, result_bytes in runs:
        pool.grounds.sizes.completed(
            "summarize",
            input_tokens=given_bytes // 4,
            output_tokens=result_bytes // 4,
            work=given_bytes // 4 + result_bytes,
        )

    shorter, longer = admitted(pool, size), admitted(pool, size + more)

    assert shorter.complexity is not None
    assert longer.complexity is not None
    assert shorter.complexity <= longer.complexity


def test_a_pool_that_folded_the_same_log_judges_the_same() -> None:
    history = trained()

    again = folded(history.entries)

    assert admitted(again, 400) == admitted(history.pool, 400)


def test_a_snapshot_keeps_what_was_learned() -> None:
    history = trained()
    history.append(stream_id("routing", "main"), routing())
    pool = Pool("main")

    restore(pool, facts_of(history.pool), [])

    assert admitted(pool, 400) == admitted(history.pool, 400)
    assert list(pool.grounds.habits.habits()) == [("acme", "", {"summarize": 6})]


# -- the routing file ------------------------------------------------------------------------------


def test_the_routing_file_is_recorded_when_it_changes() -> None:
    history = given(*MODELS)
    event = routing()

    (decided,) = decide_routing(history.pool, event)
    history.record(decided)

    assert decide_routing(history.pool, event) == []
    assert history.pool.grounds.rules == event
    other = msgspec.structs.replace(event, version="fedcba9876543210")
    assert len(decide_routing(history.pool, other)) == 1


def test_no_routing_file_at_all_leaves_no_trace() -> None:
    nothing = RoutingChanged(
        at=NOON,
        applied_to=0,
        pool="main",
        version="e3b0c44298fc1c14",
        families=(),
        devices=(),
        tiers=(),
        domains=(),
    )
    history = given(*MODELS)

    assert decide_routing(history.pool, nothing) == []
    assert decide_routing(given(routing()).pool, nothing) != []


def test_the_routing_file_of_another_pool_changes_nothing() -> None:
    assert given(routing(pool="other")).pool.grounds.rules is None


def test_a_shared_call_teaches_sizes_and_no_run_time() -> None:
    history = given(*MODELS, attached(variants=("best",), max_batch=2))
    for task in (A, B):
        history.append(task, admitted(history.pool))
    history.round(NOON + 60)

    for task in (A, B):
        history.append(task, done(history, task, run_s=1.0, size=80))

    known = {(each.what, each.of): each.ever for each in history.pool.grounds.sizes.measured()}
    assert known == {("work", "summarize"): 2, ("output", "summarize"): 2}
