"""Where a JetStream stream ends, and from which log position a relay goes on."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, cast

from nats.aio.client import Client
from nats.js.errors import NotFoundError
from nats.js.manager import JetStreamManager

from pointsman.eventstore.ports import FeedFloor, LogReader
from pointsman.runtime.streams import INCARNATION

POSITION_HEADER: Final = "Pm-Position"
"""`first-last`, the log positions that a message stands for."""

LOG_HEADER: Final = "Pm-Log"
"""Incarnation of the log that a message was read from."""

RELAY_HEADER: Final = "Pm-Relay"
"""Which run of which relay published a message."""

_NO_MESSAGE_FOUND: Final = 10037

SlowestConsumer = Callable[[], Awaitable[int]]
"""The least position of all registered consumers of a stream, 0 without any."""


class StreamMissingError(Exception):
    """The stream has to be provisioned."""

    code = "stream_missing"

    def __init__(self, stream: str) -> None:
        super().__init__(f"there is no stream {stream}: provision it")
        self.stream = stream


class StreamOfAnotherLogError(Exception):
    """The stream was filled from a log that this one does not descend from."""

    code = "stream_of_another_log"

    def __init__(self, stream: str, detail: str) -> None:
        super().__init__(
            f"stream {stream} was filled from another log: {detail}. Delete the stream, the relay "
            "fills it again, or start the services on the log that it belongs to"
        )
        self.stream = stream


@dataclass(frozen=True, slots=True)
class StreamTip:
    """The end of a stream as the server reports it."""

    incarnation: str
    sequence: int
    """The last one given out, whether its message still exists or not."""
    stored: int
    """The last one whose message exists, 0 in an empty stream."""
    position: int
    """Last log position of the last existing message, 0 in an empty stream."""
    relay: str
    """Who published that message."""
    log: str = ""
    """Incarnation of the log that it was read from; empty in an empty stream."""

    @property
    def truncated(self) -> bool:
        """Messages at the end have been purged or deleted."""
        return self.stored < self.sequence


async def read_tip(nc: Client, stream: str) -> StreamTip:
    """Raises `StreamMissingError` and what nats-py raises while the server is away."""
    manager = JetStreamManager(nc)
    try:
        info = await manager.stream_info(stream)
    except NotFoundError as error:
        raise StreamMissingError(stream) from error
    incarnation, sequence = (info.config.metadata or {}).get(INCARNATION, ""), info.state.last_seq
    try:
        last = await manager.get_last_msg(stream, ">")
    except NotFoundError as error:
        if error.err_code != _NO_MESSAGE_FOUND:
            raise StreamMissingError(stream) from error
        return StreamTip(incarnation, sequence, 0, 0, "")
    headers = cast("dict[str, str]", last.headers or {})
    stored = last.seq or 0
    return StreamTip(
        incarnation=incarnation,
        sequence=max(sequence, stored),
        stored=stored,
        position=int(headers.get(POSITION_HEADER, "0-0").partition("-")[2]),
        relay=headers.get(RELAY_HEADER, ""),
        log=headers.get(LOG_HEADER, ""),
    )


async def resume_position(
    tip: StreamTip, stream: str, *, store: LogReader, slowest: SlowestConsumer
) -> int:
    """The last position that need not be published again.

    The stream's own last message knows best. A floor row counts beside it when it is of the same
    incarnation and not ahead of the stream (a server that lost its tail in a power cut is behind
    its floor, and consumers may lack what was lost). A stream that tells nothing starts at the
    slowest consumer. A stream that an earlier life of the log has filled goes on behind what both
    lives share; what it holds beyond that never happened here, and says so by its `LOG_HEADER`.
    Raises `StreamOfAnotherLogError`.
    """
    identity = await store.identity()
    if tip.log not in {"", identity.incarnation}:
        shared = identity.shared_with(tip.log)
        if shared is None:
            detail = f"incarnation {tip.log}, and this is {identity.incarnation}"
            raise StreamOfAnotherLogError(stream, detail)
        return min(tip.position, shared)
    floor = await store.floor(stream)
    floor_position = floor.position if floor is not None and _counts(floor, tip) else None
    if tip.stored:
        position = max(tip.position, floor_position or 0)
    elif floor_position is not None:
        position = floor_position
    else:
        position = await slowest()
    head = await store.head()
    if position > head:
        detail = f"it ends at position {position}, and the log at {head}"
        raise StreamOfAnotherLogError(stream, detail)
    return position


def _counts(floor: FeedFloor, tip: StreamTip) -> bool:
    return floor.incarnation == tip.incarnation and floor.sequence <= tip.sequence
