"""Stream ids that are computed from what they name: all but those of tasks that were sent."""

from typing import Final
from uuid import UUID, uuid5

_NAMESPACE: Final = UUID("6f1c9a52-0f8e-5f4e-9a57-6a1d6c1f0b11")
_OF_PARTS: Final = 8
"""Version of the UUIDs of parts: no other id has it."""
_VERSION_BITS: Final = 76


def stream_id(kind: str, name: str, tenant: str = "") -> UUID:
    """The stream of `kind` (`device`, `model`, `pool`, `dead_letter`) called `name`."""
    return uuid5(_NAMESPACE, f"{kind}/{tenant}/{name}")


def part_id(parent: UUID, part: int) -> UUID:
    """The task that is part `part` of another one, from 1."""
    named = uuid5(parent, f"part/{part}").int & ~(0xF << _VERSION_BITS)
    return UUID(int=named | _OF_PARTS << _VERSION_BITS)


def is_part(task: UUID) -> bool:
    """Whether a task is a part of another one."""
    return task.version == _OF_PARTS
