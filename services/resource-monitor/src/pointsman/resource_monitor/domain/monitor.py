"""What the monitor has recorded, folded: its decisions stand on nothing else of its own."""

from collections import deque
from typing import Final

import msgspec

from pointsman.contracts.events import (
    AlertCleared,
    AlertRaised,
    CanaryChanged,
    Decision,
    DeviceSampled,
    ForecastMade,
)
from pointsman.contracts.recorded import Recorded
from pointsman.contracts.resource_monitor import AlertRow
from pointsman.resource_monitor.domain import alerting, demand
from pointsman.resource_monitor.domain.alerting import Watch
from pointsman.resource_monitor.domain.demand import Outlook

TOPICS: Final = (
    "device.sampled.v1",
    "device.canary_changed.v1",
    "forecast.made.v1",
    "alert.raised.v1",
    "alert.cleared.v1",
)
"""Written by this service alone."""

CLEARED_KEPT: Final = 1000
"""Cleared alerts that can be listed; all of them stay in the log."""

AlertKey = tuple[str, str]


class Monitor:
    """The fold of `TOPICS`; phases of alerts in between belong to this process."""

    def __init__(self) -> None:
        self.samples: dict[str, DeviceSampled] = {}
        self.canaries: dict[str, CanaryChanged] = {}
        self.outlooks: dict[str, Outlook] = {}
        self.watches: dict[AlertKey, Watch] = {}
        self.standing: dict[AlertKey, AlertRow] = {}
        self.cleared: deque[AlertRow] = deque(maxlen=CLEARED_KEPT)

    def evolve(self, recorded: Recorded, event: Decision) -> None:
        match event:
            case DeviceSampled():
                self.samples[event.device] = event
            case CanaryChanged():
                self.canaries[event.device] = event
            case ForecastMade():
                before = self.outlooks.get(event.family)
                self.outlooks[event.family] = demand.evolve(before, event)
            case AlertRaised():
                key = (event.alert, event.subject)
                self.watches[key] = alerting.evolve(event)
                self.standing[key] = _row(recorded.position, event)
            case AlertCleared():
                self._clear(recorded.position, event)
            case _:
                pass

    def healthy(self, device: str) -> bool | None:
        """What the latest canary event says, None without any."""
        canary = self.canaries.get(device)
        return None if canary is None else canary.healthy

    def alerts(self, *, everything: bool) -> list[AlertRow]:
        """Newest first."""
        rows = [*self.standing.values(), *(self.cleared if everything else ())]
        return sorted(rows, key=lambda row: row.position, reverse=True)

    def _clear(self, position: int, event: AlertCleared) -> None:
        key = (event.alert, event.subject)
        self.watches[key] = alerting.evolve(event)
        row = self.standing.pop(key, None)
        if row is None:
            return
        changes = {
            "state": "cleared",
            "value": event.value,
            "position": position,
            "cleared_at": event.at,
            "reason": event.reason,
        }
        self.cleared.append(msgspec.structs.replace(row, **changes))


def _row(position: int, event: AlertRaised) -> AlertRow:
    return AlertRow(
        alert=event.alert,
        subject=event.subject,
        state="raised",
        value=event.value,
        threshold=event.threshold,
        unit=event.unit,
        since=event.since,
        raised_at=event.at,
        position=position,
        samples=event.samples,
    )
