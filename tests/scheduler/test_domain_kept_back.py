"""What operators and other tasks kept a task from while it waited, told after it is over."""

from typing import Final

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st
from msgspec.structs import replace

from pointsman.contracts import events
from pointsman.contracts.events import ScopeKind
from pointsman.scheduler.domain.why.history import sentences
from pointsman.scheduler.domain.why.in_the_way import is_worth_telling
from pointsman.scheduler.domain.why.waiting_times import Wait, waits_of
from tests.support.kept_back import one_waits, told, waits
from tests.support.scheduling import NOON, A, accepted, attached, given, model
from tests.support.steering import (
    WHY,
    drain,
    hold,
    limit,
    pause,
    release,
    resume,
    set_tenant,
    steered,
    undrain,
)

MINUTE: Final = 60.0

_STEPS: Final = ("pause", "resume", "drain", "undrain", "limit", "round", "hold", "release")


def test_a_pause_that_is_over_is_told_where_the_task_waited() -> None:
    history = one_waits()
    steered(history, pause(ScopeKind.TENANT, "acme"), at=NOON + 2)
    steered(history, resume(ScopeKind.TENANT, "acme"), at=NOON + 5 * MINUTE)
    history.round(NOON + 5 * MINUTE + 1)

    lines = sentences(history.of(A), waits(history))

    kept, granted = next(
        (line, lines[place + 1]) for place, line in enumerate(lines) if line.startswith("Kept")
    )
    assert kept == (
        f"Kept back from 12:00:02.000 to 12:05:00.000: tenant acme was paused by cli:ada: {WHY}."
    )
    assert "attempt 1 granted to fast on cpu-0 after 301 s" in granted


@pytest.mark.parametrize(
    ("kind", "name", "concerns"),
    [
        (ScopeKind.POOL, "main", True),
        (ScopeKind.FAMILY, "summarize", True),
        (ScopeKind.FAMILY, "classify", False),
        (ScopeKind.MODEL, "fast", True),
        (ScopeKind.MODEL, "label", False),
        (ScopeKind.TENANT, "acme", True),
        (ScopeKind.TENANT, "globex", False),
    ],
)
def test_a_pause_is_told_to_those_whom_it_kept_back(
    kind: ScopeKind, name: str, *, concerns: bool
) -> None:
    history = one_waits()
    steered(history, pause(kind, name), at=NOON + 1)
    steered(history, resume(kind, name), at=NOON + 2)

    lines = told(history)

    assert bool(lines) == concerns
    assert all(f"{kind} {name} was paused by cli:ada" in line for line in lines)


def test_a_pause_from_before_its_arrival_counts_from_its_arrival() -> None:
    history = given(model(), attached())
    steered(history, pause(ScopeKind.POOL, "main"), at=NOON - 3 * 24 * 3600)
    history.append(A, accepted())
    steered(history, resume(ScopeKind.POOL, "main"), at=NOON + 10)

    assert told(history) == [
        (
            f"Kept back from 12:00:00.000 to 12:00:10.000: pool main was paused by cli:ada: {WHY} "
            "(since 2025-12-29 12:00:00)."
        )
    ]


def test_a_pause_that_goes_on_has_no_end() -> None:
    history = one_waits()
    steered(history, pause(ScopeKind.POOL, "main"), at=NOON + 1)

    (line,) = told(history)

    assert line.startswith("Kept back from 12:00:01.000 on: pool main was paused")


def test_what_ended_before_it_waited_or_began_after_it_is_not_told() -> None:
    history = given(model(), attached())
    steered(history, pause(ScopeKind.POOL, "main"), at=NOON - 2)
    steered(history, resume(ScopeKind.POOL, "main"), at=NOON - 1)
    history.append(A, accepted())
    history.round(NOON + 1)
    steered(history, pause(ScopeKind.POOL, "main"), at=NOON + 2)

    assert told(history) == []


def test_a_limit_is_told_with_its_value_and_who_had_set_it() -> None:
    history = one_waits()
    steered(history, set_tenant(running=1), at=NOON + 1)
    steered(history, limit("fast", 2), at=NOON + 2)
    steered(history, set_tenant(running=5), at=NOON + 3)
    history.round(NOON + 10)

    lines = told(history)

    assert [line.partition(",")[0] for line in lines] == [
        "From 12:00:01.000 to 12:00:03.000: at most 1 attempt(s) of tenant acme might run",
        "From 12:00:02.000 on: at most 2 attempt(s) of fast might run",
        "From 12:00:03.000 on: at most 5 attempt(s) of tenant acme might run",
    ]
    assert all(line.endswith(f", a limit that cli:ada had set: {WHY}.") for line in lines)


def test_a_drain_is_told_with_its_author() -> None:
    history = one_waits()
    steered(history, drain(), at=NOON + 1)
    steered(history, undrain(), at=NOON + 9)

    assert told(history) == [
        f"From 12:00:01.000 to 12:00:09.000: cpu-0 was drained by cli:ada: {WHY}."
    ]


def test_the_end_of_a_drain_tells_of_it_where_its_beginning_was_not_read() -> None:
    history = one_waits()
    steered(history, drain(), at=NOON - 9)
    steered(history, undrain(), at=NOON + 9)
    history.entries = [e for e in history.entries if not isinstance(e.event, events.DrainStarted)]

    assert told(history) == [
        f"From 12:00:00.000 to 12:00:09.000: cpu-0 was drained, until cli:ada ended that: {WHY}."
    ]


def test_the_positions_are_those_of_what_is_told() -> None:
    history = one_waits()
    steered(history, pause(ScopeKind.FAMILY, "classify"), at=NOON + 1)
    steered(history, pause(ScopeKind.POOL, "main"), at=NOON + 1)
    steered(history, resume(ScopeKind.POOL, "main"), at=NOON + 2)

    (each,) = waits(history).values()

    # The attach is told of as well: the device came with the first of its events.
    assert each.positions == (6, 7)


def test_a_wait_begins_when_nothing_of_the_task_itself_keeps_it_back() -> None:
    history = one_waits()
    steered(history, hold(A), at=NOON + 10)
    steered(history, release(A), at=NOON + 20)
    history.round(NOON + 30)

    assert waits_of(history.of(A)) == [
        Wait(1, NOON, NOON + 10),
        Wait(3, NOON + 20, NOON + 30),
    ]


def test_a_task_that_sleeps_or_depends_on_others_waits_from_then_on() -> None:
    sleeps = replace(accepted(), not_before=NOON + 60)

    assert waits_of([sleeps]) == [Wait(1, NOON + 60, None)]
    assert waits_of([accepted()], NOON + 90) == [Wait(1, NOON + 90, None)]


def test_a_retry_waits_from_the_end_of_its_delay() -> None:
    failed = events.AttemptFailed(
        at=NOON + 5,
        applied_to=5,
        attempt=1,
        device="cpu-0",
        code="x",
        message="y",
        retry_at=NOON + 8,
    )
    lost = events.AttemptLost(
        at=NOON + 6, applied_to=6, attempt=1, device="cpu-0", reason="lease_expired"
    )

    assert waits_of([failed]) == [Wait(1, NOON + 8, None)]
    assert waits_of([lost]) == [Wait(1, NOON + 6, None)]


@for_all(
    st.lists(
        st.tuples(
            st.sampled_from(_STEPS),
            st.floats(0.1, 50.0),
        ),
        max_size=12,
    )
)
def test_whatever_happens_a_pause_is_told_if_and_only_if_it_met_a_wait(
    steps: list[tuple[str, float]],
) -> None:
    history, at, paused = one_waits(), NOON, dict[float, float]()
    for step, seconds in steps:
        at += seconds
        match step:
            case "pause":
                if steered(history, pause(ScopeKind.TENANT, "acme"), at=at):
                    paused[at] = NOON + 1e9
            case "resume":
                if steered(history, resume(ScopeKind.TENANT, "acme"), at=at):
                    paused[max(paused)] = at
            case "round":
                history.round(at)
            case _:
                command = {
                    "drain": drain(),
                    "undrain": undrain(),
                    "limit": limit("fast", 1),
                    "hold": hold(A),
                    "release": release(A),
                }[step]
                steered(history, command, at=at)

    spans = [
        (wait.since, NOON + 1e9 if wait.until is None else wait.until)
        for wait in waits_of(history.of(A))
        if is_worth_telling(wait, NOON + 60 * MINUTE)
    ]
    met = sum(a < until and b > since for a, b in paused.items() for since, until in spans)

    assert sum(line.startswith("Kept back") for line in told(history)) == met
