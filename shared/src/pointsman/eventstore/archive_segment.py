"""A segment: events that were moved out of the log, in one file that never changes.

A line of JSON says what it is. Behind it come blocks of compressed events in log order, and an
index of blocks and streams. The digest in the first line covers everything behind that line.
"""

import os
import zlib
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Final, TypeVar
from uuid import UUID

import msgspec

from pointsman.contracts.recorded import Recorded
from pointsman.eventstore.verification import LinkedEvent
from pointsman.runtime.errors import FatalError

SUFFIX: Final = ".segment"
BLOCK_EVENTS: Final = 512
"""About 60 KB compressed; reading one event decompresses one block."""

_FORMAT: Final = 1
_LEVEL: Final = 6
_DIGEST_BYTES: Final = 32
_ID_BYTES: Final = 16
_HEADER_LIMIT: Final = 4096
_PIECE: Final = 1024 * 1024


class ArchiveDamagedError(FatalError):
    """A segment is missing or not what was written; the operator restores it from a backup."""

    code = "archive_damaged"

    def __init__(self, path: Path, detail: str) -> None:
        super().__init__(
            f"the archived events in {path} cannot be read: {detail}.",
            next_step="Put the file back from a backup; the events in it are nowhere else.",
        )
        self.path = path


class SegmentHeader(msgspec.Struct, frozen=True):
    """The first line of a segment."""

    number: int
    previous: str
    """Name of the segment before; empty for the first."""
    first: int
    last: int
    """Positions; other segments and the log hold events in between."""
    events: int
    streams: int
    index_at: int
    """Bytes behind the first line at which the index begins."""
    digest: str
    format: int = _FORMAT


class _Row(msgspec.Struct, frozen=True, array_like=True):
    position: int
    id: bytes
    stream: bytes
    version: int
    type: str
    time_us: int
    tenant: str
    epoch: int
    data: bytes
    link: bytes


class _Index(msgspec.Struct, frozen=True, array_like=True):
    """Blocks by the position of their first event, streams by id."""

    firsts: list[int]
    offsets: list[int]
    ids: bytes
    """Of all streams in order, one behind the other."""
    blocks_of: list[list[int]]
    """Blocks with events of the stream at the same place."""


_ContentT = TypeVar("_ContentT")
_header_decoder: Final = msgspec.json.Decoder(SegmentHeader)
_rows_decoder: Final = msgspec.msgpack.Decoder(list[_Row])
_index_decoder: Final = msgspec.msgpack.Decoder(_Index)
_encoder: Final = msgspec.msgpack.Encoder()


def write_segment(
    directory: Path, events: Sequence[LinkedEvent], *, number: int, previous: str
) -> "Segment":
    """Write events in log order, durably, and read them back; raises `OSError`."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    body, index_at, streams = _body(events)
    digest = blake2b(body, digest_size=_DIGEST_BYTES).hexdigest()
    header = SegmentHeader(
        number=number,
        previous=previous,
        first=events[0].event.position,
        last=events[-1].event.position,
        events=len(events),
        streams=streams,
        index_at=index_at,
        digest=digest,
    )
    # Two processes that believe they lead may write the same number; only one of them is named
    # by the log.
    path = directory / f"{number:06}-{digest[:16]}{SUFFIX}"
    draft = path.with_name(path.name + ".draft")
    with draft.open("wb") as file:
        file.write(msgspec.json.encode(header) + b"\n" + body)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    segment = Segment(path)
    segment.verify()
    if list(segment.linked()) != list(events):
        raise ArchiveDamagedError(path, "it does not hold what was written")
    return segment


class Segment:
    """Reads a segment; raises `ArchiveDamagedError`. One thread at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name: Final = path.name
        try:
            with path.open("rb") as file:
                line = file.readline(_HEADER_LIMIT)
            self.header: Final = _header_decoder.decode(line)
        except (OSError, msgspec.MsgspecError) as error:
            raise ArchiveDamagedError(path, str(error)) from error
        if self.header.format > _FORMAT:
            raise ArchiveDamagedError(path, "a newer release wrote it, upgrade Pointsman")
        self._body_at = len(line)
        self._block: tuple[int, list[_Row]] = (-1, [])

    def verify(self) -> None:
        """Raise `ArchiveDamagedError` unless the file is what was written."""
        digest = blake2b(digest_size=_DIGEST_BYTES)
        try:
            with self.path.open("rb") as file:
                file.seek(self._body_at)
                while piece := file.read(_PIECE):
                    digest.update(piece)
        except OSError as error:
            raise ArchiveDamagedError(self.path, str(error)) from error
        if digest.hexdigest() != self.header.digest:
            raise ArchiveDamagedError(self.path, "its digest does not fit")

    def linked(self, after: int = 0) -> Iterator[LinkedEvent]:
        """Events beyond a position with the links of their chain."""
        for row in self._rows(after):
            yield LinkedEvent(_recorded(row), row.link)

    def of(self, stream: UUID, after: int) -> list[Recorded]:
        """Events of a stream beyond a version."""
        index, wanted = self._index, stream.bytes
        place = bisect_left(range(len(index.blocks_of)), wanted, key=self._id)
        if place == len(index.blocks_of) or self._id(place) != wanted:
            return []
        return [
            _recorded(row)
            for block in index.blocks_of[place]
            for row in self._load(block)
            if row.stream == wanted and row.version > after
        ]

    def positions(self) -> list[int]:
        """Of every event in it."""
        return [row.position for row in self._rows(0)]

    def _rows(self, after: int) -> Iterator[_Row]:
        start = max(0, bisect_right(self._index.firsts, after) - 1)
        for block in range(start, len(self._index.firsts)):
            for row in self._load(block):
                if row.position > after:
                    yield row

    def _id(self, place: int) -> bytes:
        return self._index.ids[place * _ID_BYTES : (place + 1) * _ID_BYTES]

    @cached_property
    def _index(self) -> _Index:
        return self._read(self.header.index_at, None, _index_decoder)

    def _load(self, block: int) -> list[_Row]:
        if self._block[0] != block:
            start, end = self._index.offsets[block : block + 2]
            self._block = (block, self._read(start, end, _rows_decoder))
        return self._block[1]

    def _read(
        self, start: int, end: int | None, decoder: msgspec.msgpack.Decoder[_ContentT]
    ) -> _ContentT:
        try:
            with self.path.open("rb") as file:
                file.seek(self._body_at + start)
                compressed = file.read(-1 if end is None else end - start)
            return decoder.decode(zlib.decompress(compressed))
        except (OSError, zlib.error, msgspec.MsgspecError) as error:
            raise ArchiveDamagedError(self.path, str(error)) from error


def _body(events: Sequence[LinkedEvent]) -> tuple[bytes, int, int]:
    """Blocks and index; where the index begins and how many streams there are."""
    blocks: list[bytes] = []
    firsts: list[int] = []
    offsets = [0]
    blocks_of: dict[bytes, list[int]] = {}
    for start in range(0, len(events), BLOCK_EVENTS):
        rows = [_row(linked) for linked in events[start : start + BLOCK_EVENTS]]
        for stream in dict.fromkeys(row.stream for row in rows):
            blocks_of.setdefault(stream, []).append(len(blocks))
        firsts.append(rows[0].position)
        blocks.append(zlib.compress(_encoder.encode(rows), _LEVEL))
        offsets.append(offsets[-1] + len(blocks[-1]))
    ids = sorted(blocks_of)
    index = _Index(firsts, offsets, b"".join(ids), [blocks_of[stream] for stream in ids])
    blocks.append(zlib.compress(_encoder.encode(index), _LEVEL))
    return b"".join(blocks), offsets[-1], len(ids)


def _row(linked: LinkedEvent) -> _Row:
    event = linked.event
    return _Row(
        event.position,
        event.id.bytes,
        event.stream.bytes,
        event.version,
        event.type,
        event.time_us,
        event.tenant,
        event.epoch,
        bytes(event.data),
        linked.link,
    )


def _recorded(row: _Row) -> Recorded:
    return Recorded(
        position=row.position,
        id=UUID(bytes=row.id),
        stream=UUID(bytes=row.stream),
        version=row.version,
        type=row.type,
        time_us=row.time_us,
        tenant=row.tenant,
        epoch=row.epoch,
        data=msgspec.Raw(row.data),
    )
