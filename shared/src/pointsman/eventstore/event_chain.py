"""The chain of hashes through the log: each event's contains the one before it.

An event that was changed, removed or put in between afterwards no longer fits. An event that
another program has written carries no link; the chain begins again behind it.
"""

from hashlib import blake2b
from struct import Struct
from typing import Final

from pointsman.contracts.recorded import Recorded

NO_LINK: Final = b""
"""What an event without a link carries, and what the first link follows."""

LINK_BYTES: Final = 16

# Copying it costs less than making one.
_EMPTY: Final = blake2b(digest_size=LINK_BYTES)

# Position, version, time, epoch, id, stream, and how long topic and tenant are; the state is last.
_FIXED: Final = Struct(">qqqq16s16sII")


def link(previous: bytes, event: Recorded) -> bytes:
    """The link of an event that follows the one whose link is `previous`."""
    topic, tenant = event.type.encode(), event.tenant.encode()
    fixed = _FIXED.pack(
        event.position,
        event.version,
        event.time_us,
        event.epoch,
        event.id.bytes,
        event.stream.bytes,
        len(topic),
        len(tenant),
    )
    hash_ = _EMPTY.copy()
    hash_.update(b"".join((previous, fixed, topic, tenant, event.data)))
    return hash_.digest()
