"""Settings of the scheduler, read once in `__main__`."""

from pathlib import Path
from typing import Final

from pydantic import PositiveFloat, PositiveInt

from pointsman.eventstore.service import LogSettings
from pointsman.runtime.blob_rows import BlobKind

CHECKPOINT_KEEP_S: Final = 4 * 3600.0
"""What open tasks stand on is used every hour; what they stood on before is of no use."""

_DAY_S: Final = 86_400.0


class Settings(LogSettings):
    """Environment variables `POINTSMAN_<NAME>`."""

    pool: str = "main"
    """The pool that this scheduler leads."""
    registry: Path = Path("infra/triton/registry.toml")
    """The model registry."""
    routing: Path | None = None
    """The routing file: domains, quality tiers, how large is large; none: families are named."""
    policy: Path | None = None
    """What the policy is set to, as far as that differs from the defaults; none: the defaults."""
    payload_keep_days: PositiveFloat = 7.0
    """How long a payload is kept after its task has ended; those of conversations stay."""
    result_keep_days: PositiveFloat = 7.0
    """How long a result is kept; those of conversations stay."""
    dead_letter_keep_days: PositiveFloat = 30.0
    """How long the bytes of a dead letter are kept."""
    disk_budget_mib: PositiveInt | None = None
    """The most that the data directory may take; none: what the disk has left."""

    @property
    def blob_keep_s(self) -> dict[BlobKind, float]:
        """Seconds after its last use, by what a content is for."""
        return {
            BlobKind.PAYLOAD: self.payload_keep_days * _DAY_S,
            BlobKind.RESULT: self.result_keep_days * _DAY_S,
            BlobKind.CHECKPOINT: CHECKPOINT_KEEP_S,
            BlobKind.DEAD_LETTER: self.dead_letter_keep_days * _DAY_S,
        }
