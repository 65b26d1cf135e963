"""How full the room for data is, and what follows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.policy.disk_room import EASE, REFUSE_AT, WARN_AT, DiskReading, Room, next_room

GIB = 2**30


@pytest.mark.parametrize(
    ("used", "free", "budget", "share"),
    [
        (20 * GIB, 80 * GIB, None, 0.2),
        (95 * GIB, 5 * GIB, None, 0.95),
        (1 * GIB, 80 * GIB, 2 * GIB, 0.5),
        (3 * GIB, 80 * GIB, 2 * GIB, 1.5),
        (95 * GIB, 5 * GIB, 1000 * GIB, 0.95),
        (0, 0, None, 1.0),
    ],
)
def test_the_share_is_of_the_room_or_of_the_budget_whichever_is_less(
    used: int, free: int, budget: int | None, share: float
) -> None:
    assert DiskReading(used, free, budget).share == pytest.approx(share)


@pytest.mark.parametrize(
    ("share", "room"),
    [
        (0.0, Room.AMPLE),
        (WARN_AT - 0.001, Room.AMPLE),
        (WARN_AT, Room.SCARCE),
        (REFUSE_AT, Room.FULL),
    ],
)
def test_it_warns_and_then_refuses(share: float, room: Room) -> None:
    assert next_room(Room.AMPLE, share) is room


def test_a_state_ends_a_little_below_where_it_began() -> None:
    assert next_room(Room.FULL, REFUSE_AT - EASE / 2) is Room.FULL
    assert next_room(Room.FULL, REFUSE_AT - 2 * EASE) is Room.SCARCE
    assert next_room(Room.SCARCE, WARN_AT - EASE / 2) is Room.SCARCE
    assert next_room(Room.SCARCE, WARN_AT - 2 * EASE) is Room.AMPLE


@given(st.sampled_from(Room), st.floats(0.0, 1.2), st.floats(0.0, 1.2))
def test_a_fuller_disk_never_allows_more(before: Room, one: float, other: float) -> None:
    emptier, fuller = sorted((one, other))
    order = list(Room)

    assert order.index(next_room(before, emptier)) <= order.index(next_room(before, fuller))
