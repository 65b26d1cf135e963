"""What a relay makes of the log: packs for our own services, CloudEvents for other systems."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, Protocol
from urllib.parse import quote

import msgspec

from pointsman.contracts import subjects
from pointsman.contracts.message import Message
from pointsman.contracts.recorded import Recorded, encode_pack, packs
from pointsman.contracts.streams import is_part

PUBLIC_TYPES: Final = (
    "alert.cleared",
    "alert.raised",
    "degradation.level_changed",
    "task.accepted",
    "task.completed",
    "task.failed",
    "task.cancelled",
    "task.expired",
    "task.shed",
    "task.abandoned",
    "dead_letter.recorded",
)
"""Event types that other systems see unless configured otherwise."""

# Transport headers may hold credentials of the sender, and nothing outside needs them.
_WITHHELD: Final = {"dead_letter.recorded": ("headers",)}

# As in `contracts.cloudevents`: printable ASCII without space, quotation mark and per cent.
_SAFE: Final = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"%')
_MICROSECONDS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message of a stream.

    It stands for the log positions `first..last`; `first` follows the message before without a
    gap, whatever the positions of the events in it.
    """

    subject: str
    body: bytes
    headers: dict[str, str]
    first: int
    last: int


class Publication(Protocol):
    """Turns committed events into the messages of one stream."""

    @property
    def stream(self) -> str:
        """The JetStream stream; a relay is its only kind of publisher."""
        ...

    def messages(self, events: Sequence[Recorded], *, after: int) -> Iterator[Outgoing]:
        """Messages for `events` in log order; everything up to `after` is published already."""
        ...


class PackedFeed:
    """Every event, packed, on `pm.feed`."""

    stream = subjects.FEED_STREAM

    def messages(self, events: Sequence[Recorded], *, after: int) -> Iterator[Outgoing]:
        for pack in packs(events):
            last = pack[-1].position
            yield Outgoing(subjects.FEED, encode_pack(pack), {}, after + 1, last)
            after = last


class PublicEvents:
    """One CloudEvent in binary mode per event of the switched-on `types`, on `pm.evt.>`.

    Tasks that are parts of others are left out: nobody outside has asked for them. `types` are
    topics without their version. Payloads and results stand in events as references only, so a
    reader needs access to the blob store to see them.
    """

    stream = subjects.EVENT_STREAM

    def __init__(self, pool: str, types: Sequence[str] = PUBLIC_TYPES) -> None:
        self._source = quote(f"/pointsman/{pool}", safe=_SAFE)
        self._types = frozenset(types)

    def messages(self, events: Sequence[Recorded], *, after: int) -> Iterator[Outgoing]:
        for event in events:
            subject = _subject(event.type)
            if subject.type in self._types and not is_part(event.stream):
                first, after = after + 1, event.position
                yield self._outgoing(event, subject, first)

    def _outgoing(self, event: Recorded, subject: "_Subject", first: int) -> Outgoing:
        headers = {
            "ce-specversion": "1.0",
            "ce-id": str(event.id),
            "ce-source": self._source,
            "ce-type": event.type,
            "ce-subject": str(event.stream),
            "ce-time": _rfc3339(event.time_us),
            "ce-datacontenttype": "application/json",
            "ce-sequence": str(event.position),
        }
        links = _links_decoder.decode(event.data)
        if links.traceparent is not None:
            headers["ce-traceparent"] = quote(links.traceparent, safe=_SAFE)
        if links.correlation_id is not None:
            headers["ce-correlationid"] = quote(links.correlation_id, safe=_SAFE)
        if links.causation_id is not None:
            headers["ce-causationid"] = quote(links.causation_id, safe=_SAFE)
        body = bytes(event.data)
        if subject.withheld:
            body = _without(body, subject.withheld)
        return Outgoing(subject.name, body, headers, first, event.position)


class _Links(Message, frozen=True):
    """What ties an event to others; the only fields that its headers repeat."""

    traceparent: str | None = None
    correlation_id: str | None = None
    causation_id: str | None = None


@dataclass(frozen=True, slots=True)
class _Subject:
    type: str
    name: str
    withheld: tuple[str, ...]


_links_decoder: Final = msgspec.json.Decoder(_Links)


@lru_cache(maxsize=256)
def _subject(topic: str) -> _Subject:
    type_ = topic.rpartition(".v")[0]
    return _Subject(type_, subjects.event(topic), _WITHHELD.get(type_, ()))


@lru_cache(maxsize=64)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _rfc3339(time_us: int) -> str:
    seconds, rest = divmod(time_us, _MICROSECONDS)
    return f"{_second(seconds)}.{rest:06d}Z"


def _without(body: bytes, names: Sequence[str]) -> bytes:
    document = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
    return msgspec.json.encode({k: v for k, v in document.items() if k not in names})
