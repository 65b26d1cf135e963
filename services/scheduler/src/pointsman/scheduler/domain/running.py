"""What takes slots now, counted for the limits that operators set."""

from collections import Counter
from collections.abc import Mapping

from pointsman.scheduler.domain.devices import Device


class Running:
    """Leased attempts and suspect slots of a pool at one moment; each of a shared call counts."""

    def __init__(self, devices: Mapping[str, Device]) -> None:
        self.of_tenant: Counter[str] = Counter()
        self.of_variant: Counter[str] = Counter()
        for device in devices.values():
            for slots in (device.held, device.suspect):
                for slot in slots.values():
                    self.of_tenant[slot.tenant] += 1
                    self.of_variant[slot.variant] += 1
