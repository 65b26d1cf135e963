"""Committed events as readers see them, and how the feed packs them."""

from collections.abc import Iterator, Sequence
from typing import Final
from uuid import UUID

import msgspec

from pointsman.contracts.message import Message

PACK_EVENTS: Final = 256
PACK_BYTES: Final = 512 * 1024
"""A pack stays below half of the server's 1 MiB default, whatever its headers."""


class Recorded(Message, frozen=True):
    """One committed event. `position` is the only order of the log."""

    position: int
    id: UUID
    stream: UUID
    version: int
    """From 1 without gaps inside its stream."""
    type: str
    """Registered topic."""
    time_us: int
    """Microseconds since the Unix epoch; strictly increasing with position."""
    tenant: str = ""
    epoch: int = 0
    """Leader epoch of the writer, 0 for writers that lead nothing."""
    data: msgspec.Raw = msgspec.Raw(b"{}")
    """The event's stored bytes."""


_encoder: Final = msgspec.json.Encoder()
_pack_decoder: Final = msgspec.json.Decoder(list[Recorded])

# What one event costs beside its data: names, ids and numbers of the JSON object.
_OVERHEAD_BYTES: Final = 320


def packed_size(event: Recorded) -> int:
    """About how many bytes an event takes as JSON."""
    return len(bytes(event.data)) + _OVERHEAD_BYTES


def packs(events: Sequence[Recorded]) -> Iterator[Sequence[Recorded]]:
    """Cut events into runs of at most `PACK_EVENTS` and about `PACK_BYTES`, in order.

    An event larger than the limit forms a pack of its own.
    """
    start = size = 0
    for index, event in enumerate(events):
        cost = packed_size(event)
        if index > start and (index - start >= PACK_EVENTS or size + cost > PACK_BYTES):
            yield events[start:index]
            start, size = index, 0
        size += cost
    if start < len(events):
        yield events[start:]


def encode_pack(events: Sequence[Recorded]) -> bytes:
    """A JSON array of `Recorded`."""
    return _encoder.encode(events)


def decode_pack(body: bytes) -> list[Recorded]:
    """Raises `msgspec.MsgspecError` when the body is not a pack."""
    return _pack_decoder.decode(body)
