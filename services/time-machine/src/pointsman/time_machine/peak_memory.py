"""How much memory this process had at its largest."""

import resource
import sys
from typing import Final

_UNIT: Final = 1 if sys.platform == "darwin" else 1024


def peak_mib() -> float:
    """Resident memory since the process began."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _UNIT
    return round(peak / 2**20, 1)
