"""Clocks: that of the machine, and one that a test moves."""

from datetime import UTC, datetime

import pytest

from pointsman.runtime.clock import Clock, SystemClock
from pointsman.testing.clock import FakeClock


@pytest.mark.parametrize("clock", [SystemClock(), FakeClock()], ids=["system", "fake"])
def test_neither_clock_goes_back(clock: Clock) -> None:
    walls = [clock.wall() for _ in range(100)]
    ticks = [clock.monotonic() for _ in range(100)]

    assert walls == sorted(walls)
    assert ticks == sorted(ticks)


def test_the_wall_clock_counts_from_the_epoch() -> None:
    before = datetime.now(UTC)

    read = datetime.fromtimestamp(SystemClock().wall(), UTC)

    assert before <= read <= datetime.now(UTC)


def test_a_fake_clock_stands_still_until_it_is_moved() -> None:
    clock = FakeClock()
    began = (clock.wall(), clock.monotonic())

    clock.passes(2.5)

    assert (clock.wall() - began[0], clock.monotonic() - began[1]) == (2.5, 2.5)
    assert datetime.fromtimestamp(began[0], UTC) == datetime(2026, 1, 1, 12, tzinfo=UTC)


def test_a_wall_clock_can_jump_while_durations_go_on() -> None:
    clock = FakeClock()
    ticks = clock.monotonic()

    clock.now -= 3600
    clock.passes(1)

    assert clock.monotonic() - ticks == 1
