"""Stream ids that are not task ids: computed from what they name."""

from typing import Final
from uuid import UUID, uuid5

_NAMESPACE: Final = UUID("6f1c9a52-0f8e-5f4e-9a57-6a1d6c1f0b11")


def stream_id(kind: str, name: str, tenant: str = "") -> UUID:
    """The stream of `kind` (`device`, `model`, `pool`, `dead_letter`) called `name`."""
    return uuid5(_NAMESPACE, f"{kind}/{tenant}/{name}")
