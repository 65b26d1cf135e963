"""Whether the streams that the relay fills hold every event of the log."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Final, cast

from nats.aio.client import Client
from nats.errors import Error as NatsError

from pointsman.contracts import subjects
from pointsman.eventstore.publications import PUBLIC_TYPES
from pointsman.eventstore.stream_tip import POSITION_HEADER
from pointsman.testing import wait_until
from tests.chaos.log import LogPlace

_AT_ONCE: Final = 200
_CAUGHT_UP_S: Final = 60.0


async def feed_gaps(nc: Client, head: int) -> tuple[int, ...]:
    """Positions up to `head` behind which the feed does not go on with the next one.

    Waits until the feed is at `head`; `nc` needs the scheduler's login.
    """

    async def caught_up() -> bool:
        try:
            last = (await nc.jsm().stream_info(subjects.FEED_STREAM)).state.last_seq
            headers = await _headers(nc, subjects.FEED_STREAM, [last])
        except (NatsError, TimeoutError):
            return False
        return bool(headers) and _positions(headers[0])[1] >= head

    await wait_until(caught_up, timeout_s=_CAUGHT_UP_S, message=f"feed at {head}")
    at, gaps = 0, list[int]()
    for headers in await _all_headers(nc, subjects.FEED_STREAM):
        first, last = _positions(headers)
        if first != at + 1:
            gaps.append(at)
        at = last
    return tuple(gaps)


async def unpublished(nc: Client, log: LogPlace, head: int) -> tuple[int, ...]:
    """Positions up to `head` that other systems heard of never, twice, or out of order."""
    found = [int(h["ce-sequence"]) for h in await _all_headers(nc, subjects.EVENT_STREAM)]
    wanted = [e.position for e in log.read() if e.type.rpartition(".v")[0] in PUBLIC_TYPES]
    wanted = [position for position in wanted if position <= head]
    heard = [position for position in found if position <= head]
    doubled = {position for position, times in Counter(heard).items() if times > 1}
    wrong = doubled | (set(wanted) ^ set(heard))
    if not wrong and heard != wanted:
        wrong = {one for one, other in zip(heard, wanted, strict=True) if one != other}
    return tuple(sorted(wrong))


async def _all_headers(nc: Client, stream: str) -> list[dict[str, str]]:
    state = (await nc.jsm().stream_info(stream)).state
    found: list[dict[str, str]] = []
    for start in range(state.first_seq, state.last_seq + 1, _AT_ONCE):
        numbers = range(start, min(start + _AT_ONCE, state.last_seq + 1))
        found += await _headers(nc, stream, numbers)
    return found


async def _headers(nc: Client, stream: str, numbers: Sequence[int]) -> list[dict[str, str]]:
    manager = nc.jsm()
    messages = await asyncio.gather(*(manager.get_msg(stream, number) for number in numbers))
    return [cast("dict[str, str]", message.headers or {}) for message in messages]


def _positions(headers: dict[str, str]) -> tuple[int, int]:
    first, _, last = headers[POSITION_HEADER].partition("-")
    return int(first), int(last or first)
