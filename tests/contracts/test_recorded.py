"""Packs of the feed: everything, in order, and no message too large for the server."""

from collections.abc import Sequence
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.contracts.recorded import (
    PACK_BYTES,
    PACK_EVENTS,
    Recorded,
    decode_pack,
    encode_pack,
    packs,
)
from tests.support.scheduling import NOON, A


def recorded(position: int, size: int = 0) -> Recorded:
    return Recorded(
        position=position,
        id=UUID(int=position),
        stream=A,
        version=position,
        type="task.attempt_timed_out.v1",
        time_us=int(NOON * 1e6) + position,
        tenant="a" * 63,
        epoch=9_999,
        data=msgspec.Raw(b'{"message":"' + b"a" * size + b'"}'),
    )


def positions(cut: Sequence[Sequence[Recorded]]) -> list[list[int]]:
    return [[event.position for event in pack] for pack in cut]


def test_nothing_makes_no_pack() -> None:
    assert list(packs([])) == []


@pytest.mark.parametrize(
    ("events", "sizes"),
    [(1, [1]), (256, [256]), (257, [256, 1]), (600, [256, 256, 88])],
)
def test_a_pack_holds_at_most_256_events(events: int, sizes: list[int]) -> None:
    cut = list(packs([recorded(position) for position in range(1, events + 1)]))

    assert [len(pack) for pack in cut] == sizes
    assert PACK_EVENTS == 256


def test_an_event_larger_than_a_pack_stands_alone() -> None:
    events = [recorded(1), recorded(2, PACK_BYTES + 1), recorded(3), recorded(4)]

    assert positions(list(packs(events))) == [[1], [2], [3, 4]]


@given(sizes=st.lists(st.integers(0, 200_000) | st.integers(0, 50), max_size=40))
def test_packs_keep_every_event_in_order_within_the_limits(sizes: list[int]) -> None:
    events = [recorded(position, size) for position, size in enumerate(sizes, start=1)]

    cut = list(packs(events))

    assert [event for pack in cut for event in pack] == events
    assert all(pack for pack in cut)
    assert all(len(encode_pack(pack)) <= PACK_BYTES for pack in cut if len(pack) > 1)
    assert all(decode_pack(encode_pack(pack)) == list(pack) for pack in cut)


def test_what_is_no_pack_is_refused() -> None:
    with pytest.raises(msgspec.MsgspecError):
        decode_pack(b'[{"position":"first"}]')
