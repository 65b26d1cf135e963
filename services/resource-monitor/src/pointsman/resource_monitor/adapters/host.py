"""The machine that this process runs on, through psutil."""

import socket
from typing import Final

import psutil

from pointsman.resource_monitor.domain.measuring import Figures

_MIB: Final = 1024 * 1024
_PERCENT: Final = 100.0
_FAMILIES: Final = frozenset({socket.AF_INET, socket.AF_INET6})


class PsutilHost:
    """Implements `ports.Host`."""

    def __init__(self) -> None:
        # The first answer has nothing to be a share of.
        psutil.cpu_percent(interval=None)
        # Addresses may come and go; engines are seldom found by those that do.
        self.addresses = frozenset(
            {
                "localhost",
                socket.gethostname(),
                *(
                    # An IPv6 address that holds on one link only is followed by the link's name.
                    address.address.partition("%")[0]
                    for addresses in psutil.net_if_addrs().values()
                    for address in addresses
                    if address.family in _FAMILIES
                ),
            }
        )

    def read(self) -> Figures:
        memory = psutil.virtual_memory()
        return Figures(
            utilisation=psutil.cpu_percent(interval=None) / _PERCENT,
            memory=memory.percent / _PERCENT,
            memory_total_mib=memory.total / _MIB,
        )
