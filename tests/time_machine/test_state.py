"""The pool of any past moment, from the log alone."""

import asyncio
from pathlib import Path

import pytest

from pointsman.contracts import events
from pointsman.eventstore import SqliteEventStore
from pointsman.eventstore.archive import ARCHIVE, Archive
from pointsman.eventstore.archived_log import ArchivedLog
from pointsman.eventstore.archiving import Archiving
from pointsman.scheduler.domain.pool import Pool
from pointsman.time_machine.moments import (
    BeforeLogError,
    BeyondLogError,
    EmptyLogError,
    Moment,
    moment,
)
from pointsman.time_machine.pool_log import pools_of
from pointsman.time_machine.states.past_state import PastState, described, past_state
from tests.support.ended_tasks import DAY, HEAD, fill
from tests.support.log_events import NOON_US
from tests.support.pool_state import state
from tests.support.scheduling import NOON, A, B, accepted, attached, folded, given, model


class _Ticking:
    """A clock that goes on by a second with each event."""

    def __init__(self) -> None:
        self._now_us = NOON_US

    def __call__(self) -> int:
        self._now_us += 1_000_000
        return self._now_us


@pytest.fixture(scope="module", name="log")
def a_log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("state") / "log.db"

    async def record() -> None:
        async with SqliteEventStore(path, clock=_Ticking()) as store:
            await fill(store)

    asyncio.run(record())
    return path


def without_cost(past: PastState) -> dict[str, object]:
    return {name: value for name, value in past.items() if name not in {"folded", "seconds"}}


@pytest.mark.parametrize("position", [1, 7, HEAD // 3, HEAD // 2, HEAD])
def test_the_state_is_what_the_pool_was_at_that_position(log: Path, position: int) -> None:
    then = moment(log, position=position)

    past = past_state(log, "main", then)

    live = folded(DAY.history.entries, up_to=position)
    assert without_cost(past) == without_cost(described(live, then))
    assert (past["position"], past["folded"]) == (position, position)
    assert past["queued"] == past["queue"]["tasks"] == live.queued


def test_asking_for_the_state_changes_nothing(log: Path) -> None:
    pool = folded(DAY.history.entries)

    described(pool, moment(log))

    assert state(pool, DAY.now) == state(folded(DAY.history.entries), DAY.now)


def test_a_time_is_the_last_event_recorded_before_it(log: Path) -> None:
    noon = NOON_US / 1e6

    assert moment(log, time=noon + 5.5) == Moment(5, noon + 5.5)
    assert moment(log, time=noon + 5) == Moment(5, noon + 5)
    assert moment(log, position=5) == Moment(5, noon + 5)
    assert moment(log).position == HEAD


@pytest.mark.parametrize("early", [{"time": NOON_US / 1e6}, {"position": 0}])
def test_what_lies_before_a_log_is_refused_with_its_beginning(
    log: Path, early: dict[str, float]
) -> None:
    with pytest.raises(BeforeLogError, match="begins at position 1, 2026-01-01T12:00:01Z"):
        moment(log, **early)  # pyright: ignore[reportArgumentType]  # a position is whole


@pytest.mark.parametrize("late", [{"time": NOON_US / 1e6 + HEAD + 0.001}, {"position": HEAD + 1}])
def test_what_lies_behind_a_log_is_refused_with_its_end(log: Path, late: dict[str, float]) -> None:
    with pytest.raises(BeyondLogError, match=f"ends at position {HEAD}, 2026-01-01T12:0"):
        moment(log, **late)  # pyright: ignore[reportArgumentType]  # a position is whole


def test_the_end_that_a_refusal_names_may_be_asked_for(log: Path) -> None:
    end = moment(log)

    assert moment(log, time=end.time) == end == moment(log, position=HEAD)


async def test_an_archive_changes_no_moment(tmp_path: Path) -> None:
    log = tmp_path / "log.db"
    async with SqliteEventStore(log, clock=_Ticking()) as store:
        archived = ArchivedLog(store, Archive(tmp_path / ARCHIVE))
        await fill(archived)
        before = [moment(log), moment(log, position=HEAD // 2)]

        moved = await Archiving(archived).move(HEAD)

    assert moved.events > 0
    assert [moment(log), moment(log, position=HEAD // 2)] == before


async def test_a_log_without_events_has_no_state(tmp_path: Path) -> None:
    async with SqliteEventStore(tmp_path / "log.db"):
        assert pools_of(tmp_path / "log.db") == []
        with pytest.raises(EmptyLogError):
            moment(tmp_path / "log.db")


def _at(pool: Pool, at: float) -> PastState:
    return described(pool, Moment(pool.applied_to, at))


def test_what_waits_is_told_by_class_with_its_heads() -> None:
    history = given(
        model("best", quality=0.9),
        model("fast"),
        attached(variants=("fast",)),
        (A, accepted(key=NOON + 30, variants=("best", "fast"))),
        (B, accepted(key=NOON + 10, variants=("best", "fast"))),
    )

    queue = _at(history.pool, NOON + 4)["queue"]

    (waiting,) = queue["classes"]
    assert (waiting["family"], waiting["waiting"], waiting["devices"]) == (
        "summarize",
        2,
        ["cpu-0"],
    )
    assert [head["task"] for head in waiting["heads"]] == [str(B), str(A)]
    assert (waiting["heads"][0]["due_in_s"], waiting["heads"][0]["age_s"]) == (6, 4)
    assert queue["in_classes"] == 2


def test_what_stands_in_no_queue_is_counted_apart() -> None:
    history = given(
        model(),
        (A, accepted(conversation="c-1")),
        (B, accepted()),
        (B, events.TaskHeld(at=NOON, applied_to=3, by="ada", reason="wait for the review")),
    )

    queue = _at(history.pool, NOON + 1)["queue"]

    assert (queue["for_a_time"], queue["held"], queue["in_classes"]) == (1, 1, 0)


def test_devices_tell_what_runs_on_them_and_leases_who_runs_it() -> None:
    history = given(model(), attached(slots=2), (A, accepted()))
    history.round(NOON + 1)

    past = _at(history.pool, NOON + 3)

    (device,) = past["devices"]
    assert (device["occupied"], device["resident"]) == (1, {"fast": 2})
    assert [(run["task"], run["since_s"]) for run in device["runs"]] == [(str(A), 2)]
    (lease,) = past["leases"]
    assert (lease["executor"], lease["granted_s_ago"]) == ("executor-1", 2)
    assert (past["queued"], past["granted"]) == (0, 1)
