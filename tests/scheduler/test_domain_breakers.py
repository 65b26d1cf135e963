"""Breakers: decided in rounds, folded from the log, asked before every grant."""

from collections.abc import Sequence

import msgspec
import pytest

from pointsman.contracts.decided import Decided
from pointsman.contracts.events import (
    BreakerClosed,
    BreakerOpened,
    Decision,
    DeviceMode,
    TaskCancelled,
    TaskGranted,
)
from pointsman.contracts.leases import RunCancelled, RunFailed, RunTimedOut
from pointsman.policy.breaker import IN_A_ROW, OPEN_S
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.rounds.granting import decide_round
from pointsman.scheduler.domain.snapshot.facts import restore
from pointsman.scheduler.domain.snapshot.pool_copy import PoolCopy, decode_facts, decode_tasks
from pointsman.scheduler.domain.why.waits import waits_for
from pointsman.scheduler.leading.pool_rows import device_rows, model_rows
from tests.support.failing import MODEL_ERROR, end, fail, more, task
from tests.support.scheduling import (
    COMPLETED,
    NOON,
    History,
    attached,
    folded,
    given,
    granted_events,
    model,
)

BAD_INPUT = RunFailed(code="invalid_input", message="not a text", retryable=False)
FIRST = range(1, IN_A_ROW + 1)
OPENED = NOON + 1
DUE = OPENED + OPEN_S


def a_device(*, slots: int = 4) -> History:
    return given(model(), attached(slots=slots))


def opened(*, slots: int = 4) -> History:
    """The breaker of the one variant on the one device has opened at `OPENED`."""
    history = a_device(slots=slots)
    fail(history, FIRST, at=OPENED, outcome=MODEL_ERROR)
    (event,) = turns(history.round(OPENED))
    assert isinstance(event, BreakerOpened)
    return history


def turns(decided: Sequence[Decided]) -> list[Decision]:
    events = [event for item in decided for event in item.events]
    return [event for event in events if isinstance(event, BreakerOpened | BreakerClosed)]


def test_five_failures_of_different_payloads_open_a_breaker() -> None:
    history = a_device()
    fail(history, FIRST, at=OPENED, outcome=MODEL_ERROR)

    (event,) = turns(history.round(OPENED))

    assert event == BreakerOpened(
        at=OPENED,
        applied_to=history.entries[-2].position,
        device="cpu-0",
        variant="fast",
        until=DUE,
        reason="5 calls in a row have failed (model_error)",
        code="model_error",
        failures=5,
        calls=5,
    )


@pytest.mark.parametrize(
    "outcome",
    [
        pytest.param(BAD_INPUT, id="input that was refused"),
        pytest.param(
            RunFailed(code="payload_missing", message="pruned", retryable=False), id="no payload"
        ),
        pytest.param(
            RunFailed(code="executor_error", message="a bug", retryable=False), id="the executor"
        ),
    ],
)
def test_failures_that_say_nothing_about_the_endpoint_open_none(outcome: RunFailed) -> None:
    history = a_device()

    fail(history, range(1, 30), at=OPENED, outcome=outcome)

    assert turns(history.round(OPENED)) == []


def test_tries_of_one_task_open_none() -> None:
    history = a_device()
    more(history, (1,), max_attempts=50)

    for attempt in range(1, 40):
        at = NOON + 400 * attempt
        history.round(at)
        end(history, 1, RunTimedOut(run_s=300.0), at=at, attempt=attempt)

    assert turns(history.round(NOON + 1e6)) == []


def test_nothing_is_granted_while_it_is_open_and_the_task_says_what_it_waits_for() -> None:
    history = opened()
    more(history, (10,))

    decided = history.round(DUE - 0.5)

    assert decided == []
    assert waits_for(history.pool, history.pool.tasks[task(10)]) == (
        "its turn: the breaker of fast on cpu-0 is open until 12:01:01.000: "
        "5 calls in a row have failed (model_error)"
    )
    assert history.pool.next_due(DUE - 0.5) == DUE


def test_half_open_it_takes_one_probe_however_many_slots_are_free() -> None:
    history = opened(slots=4)
    more(history, range(10, 20))

    first = granted_events(history.round(DUE))
    second = granted_events(history.round(DUE))

    assert list(first) == [task(10)]
    assert second == {}


def test_nobody_shares_the_call_of_a_probe() -> None:
    history = given(model(), attached(slots=4, max_batch=8))
    fail(history, FIRST, at=OPENED, outcome=MODEL_ERROR)
    history.round(OPENED)
    more(history, range(10, 20))

    grants = granted_events(history.round(DUE))

    assert [grant.batch for grant in grants.values()] == [None]


def test_a_probe_that_comes_back_closes_it() -> None:
    history = opened()
    more(history, range(10, 14))
    history.round(DUE)

    end(history, 10, COMPLETED, at=DUE + 1)
    decided = history.round(DUE + 1)

    (event,) = turns(decided)
    assert isinstance(event, BreakerClosed)
    assert len(granted_events(decided)) == 3
    assert history.pool.breakers.troubled == {}


def test_a_probe_that_fails_opens_it_again() -> None:
    history = opened()
    more(history, range(10, 14))
    history.round(DUE)

    end(history, 10, MODEL_ERROR, at=DUE + 1)
    decided = history.round(DUE + 1)

    (event,) = turns(decided)
    assert isinstance(event, BreakerOpened)
    assert (event.probe, event.until) == (True, DUE + 1 + OPEN_S)
    assert granted_events(decided) == {}


@pytest.mark.parametrize("how", ["bad input", "given up", "cancelled"])
def test_a_probe_that_says_nothing_is_followed_by_another(how: str) -> None:
    history = opened(slots=4)
    more(history, range(10, 12))
    history.round(DUE)

    if how == "bad input":
        end(history, 10, BAD_INPUT, at=DUE + 1)
    elif how == "given up":
        end(history, 10, RunCancelled(), at=DUE + 1)
    else:
        over = TaskCancelled(at=DUE + 1, applied_to=0, by="ada", reason="")
        history.append(task(10), over)
    decided = history.round(DUE + 1)

    assert turns(decided) == []
    assert len(granted_events(decided)) == 1


def test_other_devices_go_on() -> None:
    history = a_device()
    fail(history, FIRST, at=OPENED, outcome=MODEL_ERROR)
    history.round(OPENED)
    other = attached("cpu-1", slots=1)
    from_here = given(other).entries[0]
    history.append(from_here.stream, other)
    more(history, (10, 11))

    (grant,) = granted_events(history.round(OPENED + 1)).values()

    assert grant.device == "cpu-1"
    refused = {each.device: each.refused for each in grant.explanation.others}
    assert refused == {"cpu-0": "its breaker is open for another 59 s"}


def test_a_smaller_variant_takes_over_at_once_where_the_better_one_is_left_alone() -> None:
    history = given(
        model("best", quality=0.9), model("fast", quality=0.5), attached(variants=("best", "fast"))
    )
    for number in FIRST:
        more(history, (number,), variants=("best",))
        history.round(OPENED)
        end(history, number, MODEL_ERROR, at=OPENED)
    history.round(OPENED)
    more(history, (10,), variants=("best", "fast"))

    (grant,) = granted_events(history.round(OPENED + 1)).values()

    assert grant.variant == "fast"


def test_what_is_open_is_shown_with_its_reason() -> None:
    history = opened()

    (device,) = device_rows(history.pool)
    (variant,) = model_rows(history.pool)

    said = (
        "the breaker of fast on cpu-0 is open until 12:01:01.000: "
        "5 calls in a row have failed (model_error)"
    )
    assert (device.breakers, variant.breakers) == ((said,), (said,))


def test_a_replay_decides_the_same_rounds() -> None:
    history = opened()
    more(history, range(10, 14))
    history.round(DUE)
    end(history, 10, COMPLETED, at=DUE + 1)
    history.round(DUE + 1)

    for entry in history.entries:
        if not isinstance(entry.event, BreakerOpened | BreakerClosed | TaskGranted):
            continue
        pool = folded(history.entries, up_to=entry.event.applied_to)
        again = decide_round(pool, at=entry.event.at)
        assert any(entry.event in item.events for item in again)


@pytest.mark.parametrize("moment", ["about to open", "open", "half-open"])
def test_a_pool_restored_from_a_snapshot_decides_the_same(moment: str) -> None:
    history = a_device()
    fail(history, FIRST, at=OPENED, outcome=MODEL_ERROR)
    if moment != "about to open":
        history.round(OPENED)
    more(history, range(10, 14))
    if moment == "half-open":
        history.round(DUE)

    copy = PoolCopy(history.pool)
    body = copy.next(100)
    restored = Pool("main")
    tasks = decode_tasks(body or b"\x90", restored.words)
    restore(restored, decode_facts(copy.facts), tasks)

    assert restored.breakers.of == history.pool.breakers.of
    assert restored.breakers.troubled == history.pool.breakers.troubled
    assert decide_round(restored, at=DUE) == decide_round(history.pool, at=DUE)


@pytest.mark.parametrize(("mode", "opens"), [(DeviceMode.FIXED, True), (DeviceMode.SHARED, False)])
def test_a_model_that_is_gone_is_loaded_again_where_the_leader_loads(
    mode: DeviceMode, opens: bool
) -> None:
    gone = RunFailed(code="model_not_found", message="unloaded", retryable=False)
    history = given(model(), msgspec.structs.replace(attached(slots=4), mode=mode))

    fail(history, FIRST, at=OPENED, outcome=gone)

    assert bool(turns(history.round(OPENED))) is opens
