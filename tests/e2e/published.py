"""What stands in the two streams that the relay fills from the log."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from nats.aio.client import Client

from pointsman.contracts import subjects
from pointsman.contracts.recorded import Recorded, decode_pack
from pointsman.eventstore.publications import PUBLIC_TYPES
from pointsman.eventstore.stream_tip import POSITION_HEADER
from pointsman.runtime.streams import incarnation


@dataclass(frozen=True)
class Published:
    """One message: the log positions that it stands for, and what it carries."""

    first: int
    last: int
    headers: dict[str, str]
    body: bytes


async def published(nc: Client, stream: str) -> list[Published]:
    """Every message of a stream in its order, read one by one; needs the scheduler's login."""
    manager = nc.jsm()
    state = (await manager.stream_info(stream)).state
    found: list[Published] = []
    for sequence in range(state.first_seq, state.last_seq + 1):
        message = await manager.get_msg(stream, sequence)
        headers = cast("dict[str, str]", message.headers or {})
        first, _, last = headers[POSITION_HEADER].partition("-")
        found.append(Published(int(first), int(last), headers, message.data or b""))
    return found


async def feed_of(nc: Client) -> list[Recorded]:
    """The events of `pm.feed` in its order; its messages must follow each other without a gap."""
    messages = await published(nc, subjects.FEED_STREAM)
    packs = [decode_pack(message.body) for message in messages]
    assert [(message.first, message.last) for message in messages] == [
        (pack[0].position, pack[-1].position) for pack in packs
    ]
    return [event for pack in packs for event in pack]


async def public_positions(nc: Client) -> list[int]:
    """The positions of the events on `pm.evt.>` in its order."""
    messages = await published(nc, subjects.EVENT_STREAM)
    return [int(message.headers["ce-sequence"]) for message in messages]


def public(log: Sequence[Recorded]) -> list[int]:
    """Which positions of a log other systems are to see."""
    return [event.position for event in log if event.type.rpartition(".v")[0] in PUBLIC_TYPES]


async def feed_life(nc: Client) -> str:
    """Changes when the stream behind `pm.feed` is created anew."""
    return await incarnation(nc, subjects.FEED_STREAM)
