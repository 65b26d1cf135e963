"""PostgreSQL's side of a connection, understood well enough to lose the answer to a COMMIT."""

from typing import Final

from pointsman.testing.tcp_proxy import Cut, Link, Way

_TYPE: Final = 1
_LENGTH: Final = 4
_HEADER: Final = _TYPE + _LENGTH
_COMMITTED: Final = b"COMMIT\0"
_COMPLETE: Final = ord("C")


class LostCommits:
    """A hook of `TcpProxy`: cuts instead of passing on `CommandComplete: COMMIT`; without TLS.

    The server has committed by then, and the client cannot know. While `armed` is not zero each
    such answer is lost and counts it down; `lost` counts them.
    """

    def __init__(self, armed: int = 0) -> None:
        self.armed = armed
        self.lost = 0

    def __call__(self, link: Link, way: Way, piece: bytes) -> bytes:
        if way is Way.TO_SERVER:
            return piece
        rest = link.unread + piece
        # Messages are one byte of kind, four of length with themselves, and the content.
        while len(rest) >= _HEADER:
            size = _TYPE + int.from_bytes(rest[_TYPE:_HEADER], "big")
            if len(rest) < size:
                break
            if rest[0] == _COMPLETE and rest[_HEADER:size] == _COMMITTED and self.armed:
                self.armed -= 1
                self.lost += 1
                raise Cut
            rest = rest[size:]
        link.unread = rest
        return piece
