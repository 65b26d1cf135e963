"""Engines that know what they have loaded, whatever the log believes of them."""

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

import msgspec

from pointsman.contracts.events import DeviceMode, Residency, ResidencyGranted
from pointsman.contracts.leases import (
    DeviceOffer,
    ResidencyDone,
    ResidencyOutcome,
    ResidencyRefused,
    ResidencyReport,
)

CUT_OFF: Final = ResidencyRefused(code="device_lost", message="its process is gone")


@dataclass(slots=True)
class Engine:
    """What one device really has, and the change that it is in."""

    offer: DeviceOffer
    loaded: set[str] = field(default_factory=set[str])
    change: ResidencyGranted | None = None
    gang: tuple[str, ...] = ()
    """Further devices that are taken by what it has, or is loading."""

    @property
    def residency(self) -> tuple[Residency, ...]:
        """As its executor tells it."""
        return tuple(each for each in self.offer.loadable if each.variant in self.loaded)

    @property
    def empty(self) -> bool:
        """Whether another device's instance may take it as well."""
        return not self.loaded and self.change is None

    def begins(self, change: ResidencyGranted, running: Collection[str]) -> None:
        """A change of residency arrives; `running` are the variants of its calls."""
        assert self.change is None, "two changes at a time"
        assert not set(change.unload) & set(running), "unloads what is in use"
        if self.offer.mode is DeviceMode.DEDICATED:
            assert not running, "changes with work in flight"
        self.change = change
        self.loaded -= set(change.unload)
        self.gang += change.members

    def ends(self, outcome: ResidencyOutcome, load_s: float) -> ResidencyReport:
        """The change is over; what its executor has to tell."""
        change = self.change
        assert change is not None
        self.change = None
        self.gang = change.members
        if isinstance(outcome, ResidencyDone):
            self.loaded |= {change.load} - {""}
            outcome = ResidencyDone(load_s=load_s if change.load else 0.0)
        if not self.loaded:
            self.gang = ()
        if self.offer.mode is DeviceMode.DEDICATED:
            assert len(self.loaded) <= 1, "two models on a dedicated device"
        return ResidencyReport(
            executor=change.executor,
            incarnation=change.incarnation,
            device=change.device,
            generation=change.generation,
            outcome=outcome,
            residency=self.residency,
        )

    def dies(self) -> ResidencyReport | None:
        """Its process is gone, and with it all that was loaded; what there is to tell of that."""
        report = None if self.change is None else self.ends(CUT_OFF, 0.0)
        self.loaded, self.gang = set(), ()
        return None if report is None else msgspec.structs.replace(report, residency=None)
