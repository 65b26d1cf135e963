"""A breaker opens on failures that speak of its endpoint, and closes after one good probe."""

from collections import deque
from itertools import takewhile
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.policy.breaker import (
    BLAMED,
    IN_A_ROW,
    OPEN_S,
    SUCCESS,
    WINDOW,
    Blame,
    Breaker,
    Turn,
    blame_of,
)

NOW = 1000.0
CODES = (SUCCESS, "model_error", "engine_refused", "invalid_input", "a_new_code")
CALLS = st.lists(st.tuples(st.sampled_from(CODES), st.sampled_from("abcdefg")), max_size=120)


def key(number: int) -> tuple[UUID, int]:
    return UUID(int=number), 1


def after(*calls: tuple[str, str]) -> Breaker:
    breaker = Breaker()
    for number, (code, payload) in enumerate(calls):
        breaker.ended(key(number), code, payload)
    return breaker


def opened(until: float = NOW + OPEN_S) -> Breaker:
    breaker = after(*[("engine_refused", "a")] * IN_A_ROW)
    breaker.opened(until)
    return breaker


def naive_turns(calls: list[tuple[str, str]]) -> list[bool]:
    """Whether a breaker that never opens has to, after each call; from a list of all outcomes."""
    counted: list[tuple[bool, str]] = []
    turns: list[bool] = []
    for code, payload in calls:
        last = counted[-WINDOW:]
        blame = BLAMED.get(code, Blame.PAYLOAD)
        if code == SUCCESS:
            counted.append((False, ""))
        elif blame is Blame.ENDPOINT:
            counted.append((True, ""))
        elif blame is Blame.PAYLOAD and payload not in [blamed for _, blamed in last if blamed]:
            counted.append((True, payload))
        last = counted[-WINDOW:]
        streak = len(list(takewhile(lambda call: call[0], reversed(last))))
        failed = sum(failure for failure, _ in last)
        turns.append(streak >= 5 or (len(last) >= 20 and failed / len(last) > 0.5))
    return turns


@given(CALLS)
def test_it_opens_when_a_list_of_all_calls_says_so(calls: list[tuple[str, str]]) -> None:
    breaker, opening = Breaker(), False

    for number, ((code, payload), naive) in enumerate(zip(calls, naive_turns(calls), strict=True)):
        breaker.ended(key(number), code, payload)
        opening = opening or naive

        assert (breaker.turn is Turn.OPEN) == opening


def test_five_failures_in_a_row_open_it() -> None:
    almost = after(*[("engine_refused", "a")] * 4)
    whole = after(*[("engine_refused", "a")] * 5)

    assert almost.turn is None
    assert whole.turn is Turn.OPEN
    assert whole.why() == "5 calls in a row have failed (engine_refused)"


def test_more_than_half_of_twenty_calls_open_it() -> None:
    half = after(*[("engine_refused", "a"), (SUCCESS, "a")] * 10)

    half.ended(key(100), "engine_refused", "a")
    assert half.turn is None, "still ten of the last twenty"

    half.ended(key(101), "engine_refused", "a")
    assert half.turn is Turn.OPEN
    assert half.why() == "11 of the last 20 calls have failed (engine_refused)"


def test_one_bad_payload_opens_nothing_however_often_it_comes() -> None:
    breaker = after(*[("model_error", "bad")] * 1000)

    assert breaker.turn is None


def test_a_model_that_raises_on_every_payload_is_left_alone() -> None:
    breaker = after(*[("model_error", payload) for payload in "abcde"])

    assert breaker.turn is Turn.OPEN


def test_input_that_is_refused_says_nothing_about_the_endpoint() -> None:
    breaker = after(*[("invalid_input", str(number)) for number in range(100)])

    assert (breaker.turn, breaker.failures) == (None, 0)


@pytest.mark.parametrize("code", ["payload_missing", "engine_busy", "executor_error"])
def test_failures_of_others_are_nobodys(code: str) -> None:
    assert blame_of(code) is Blame.NOBODY


def test_nothing_is_granted_while_it_is_open() -> None:
    breaker = opened(NOW + 60)

    assert breaker.refused(NOW) == "its breaker is open for another 60 s"
    assert breaker.refused(NOW + 59.9) is not None
    assert breaker.refused(NOW + 60) is None


def test_half_open_it_takes_exactly_one_probe() -> None:
    breaker = opened(NOW)

    assert breaker.refused(NOW, taken=1) == "its breaker waits for a probe"

    breaker.granted(key(1))
    assert breaker.refused(NOW) == "its breaker waits for a probe"


def test_a_good_probe_closes_it() -> None:
    breaker = opened(NOW)
    breaker.granted(key(1))

    breaker.ended(key(1), SUCCESS, "a")

    assert (breaker.turn, breaker.refused(NOW)) == (Turn.CLOSE, None)
    breaker.closed()
    assert (breaker.turn, breaker.until, breaker.refused(NOW)) == (None, None, None)


def test_a_failed_probe_opens_it_again() -> None:
    breaker = opened(NOW)
    breaker.granted(key(1))

    breaker.ended(key(1), "model_error", "a")

    assert breaker.turn is Turn.OPEN
    assert breaker.why() == "the probe has failed (model_error)"


@pytest.mark.parametrize("code", ["invalid_input", "blobs_unavailable"])
def test_a_probe_that_says_nothing_makes_room_for_another(code: str) -> None:
    breaker = opened(NOW)
    breaker.granted(key(1))

    breaker.ended(key(1), code, "a")

    assert (breaker.turn, breaker.refused(NOW)) == (None, None)


def test_a_lost_probe_makes_room_for_another() -> None:
    breaker = opened(NOW)
    breaker.granted(key(1))

    breaker.lost(key(2))
    assert breaker.refused(NOW) is not None

    breaker.lost(key(1))
    assert breaker.refused(NOW) is None


def test_calls_from_before_it_opened_change_nothing() -> None:
    breaker = opened(NOW)

    breaker.ended(key(9), SUCCESS, "a")
    breaker.ended(key(8), "engine_refused", "a")

    assert (breaker.turn, list(breaker.window)) == (None, [])


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["grant", "end", "lose", "wait", "decide"]),
            st.sampled_from(CODES),
            st.integers(0, 6),
        ),
        max_size=150,
    )
)
def test_never_more_than_one_call_is_in_flight_on_a_breaker_that_is_not_closed(
    steps: list[tuple[str, str, int]],
) -> None:
    breaker, now, in_flight = Breaker(), NOW, deque[tuple[UUID, int]]()
    since_opened: set[tuple[UUID, int]] = set()

    for number, (step, code, which) in enumerate(steps):
        if step == "grant" and breaker.refused(now) is None:
            breaker.granted(key(number))
            in_flight.append(key(number))
            if breaker.until is not None and breaker.turn is not Turn.CLOSE:
                since_opened.add(key(number))
        elif step in {"end", "lose"} and in_flight:
            in_flight.rotate(which)
            one = in_flight.popleft()
            since_opened.discard(one)
            if step == "end":
                breaker.ended(one, code, str(number))
            else:
                breaker.lost(one)
        elif step == "wait":
            now += OPEN_S / 3
        elif breaker.turn is Turn.OPEN:
            breaker.opened(now + OPEN_S)
        elif breaker.turn is Turn.CLOSE:
            breaker.closed()
            since_opened.clear()

        assert len(since_opened) <= 1
