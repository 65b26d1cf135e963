"""The machine that this process runs on, through psutil."""

from typing import Final

import psutil

from pointsman.resource_monitor.domain.measuring import Figures

_MIB: Final = 1024 * 1024
_PERCENT: Final = 100.0


class PsutilHost:
    """Implements `ports.Host`."""

    def __init__(self) -> None:
        # The first answer has nothing to be a share of.
        psutil.cpu_percent(interval=None)

    def read(self) -> Figures:
        memory = psutil.virtual_memory()
        return Figures(
            utilisation=psutil.cpu_percent(interval=None) / _PERCENT,
            memory=memory.percent / _PERCENT,
            memory_total_mib=memory.total / _MIB,
        )
