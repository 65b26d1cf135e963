"""Whether tasks of the family `identity` were given back what they sent."""

from collections.abc import Iterable
from typing import Final
from uuid import UUID

import msgspec

from pointsman.contracts.message import BlobRef
from pointsman.contracts.recorded import Recorded
from tests.chaos.followed import ACCEPTED, COMPLETED

_FAMILY: Final = "identity"


class _Asked(msgspec.Struct):
    family: str
    payload: BlobRef


class _Answered(msgspec.Struct):
    result: BlobRef


_asked: Final = msgspec.json.Decoder(_Asked)
_answered: Final = msgspec.json.Decoder(_Answered)


def wrong_results(log: Iterable[Recorded]) -> tuple[UUID, ...]:
    """Tasks whose result has another content than their input."""
    asked: dict[UUID, str] = {}
    wrong: list[UUID] = []
    for event in log:
        if event.type == ACCEPTED:
            task = _asked.decode(event.data)
            if task.family == _FAMILY:
                asked[event.stream] = task.payload.digest
        elif event.type == COMPLETED:
            result = _answered.decode(event.data).result.digest
            if asked.pop(event.stream, result) != result:
                wrong.append(event.stream)
    return tuple(wrong)
