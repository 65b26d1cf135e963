"""Which figures of a GPU can be true."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from pointsman.resource_monitor.domain.measuring import Figures

# Drivers answer with 255 % for a unit that is off, with 0 degrees while a sensor starts and, since
# their numbers have no sign, with four thousand millions for a minus one.
LIMITS: Final[Mapping[str, tuple[float, float]]] = MappingProxyType(
    {
        "utilisation": (0.0, 1.0),
        "memory": (0.0, 1.0),
        "memory_total_mib": (1.0, 16.0 * 1024 * 1024),
        "temperature_c": (1.0, 150.0),
        "power_w": (0.0, 5_000.0),
    }
)


def plausible(figures: Figures) -> tuple[Figures, tuple[str, ...]]:
    """The figures without those that cannot be true, and the names of these."""
    dropped = tuple(
        name
        for name, (least, most) in LIMITS.items()
        if (value := getattr(figures, name)) is not None and not least <= value <= most
    )
    return (replace(figures, **dict.fromkeys(dropped)) if dropped else figures), dropped
