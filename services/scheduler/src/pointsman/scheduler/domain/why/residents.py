"""Which devices have a model, or are loading it, from their events alone."""

from collections.abc import Collection

from pointsman.contracts import events
from pointsman.contracts.events import Decision, Residency


class Residents:
    """Follows events of devices in log order; others change nothing."""

    def __init__(self) -> None:
        self._loaded: dict[str, frozenset[str]] = {}
        self._loading: dict[str, str] = {}

    def take(self, event: Decision) -> None:
        """What an event says about what is loaded on its device."""
        match event:
            case events.DeviceAttached() | events.ResidencyChanged() | events.ResidencyFailed():
                self._has(event.device, event.residency)
                self._loading.pop(event.device, None)
            case events.DeviceResumed():
                self._has(event.device, event.residency)
            case events.DeviceDetached():
                self._loaded.pop(event.device, None)
                self._loading.pop(event.device, None)
            case events.ResidencyGranted():
                self._loading[event.device] = event.load
                left = self._loaded.get(event.device, frozenset[str]()) - {*event.unload}
                self._loaded[event.device] = left
            case _:
                pass

    def having(self, variants: Collection[str], *, besides: str) -> list[str]:
        """Devices that have one of the variants, or load one, but for one device."""
        return [
            name
            for name in {**self._loaded, **self._loading}
            if name != besides
            and (
                not self._loaded.get(name, frozenset[str]()).isdisjoint(variants)
                or self._loading.get(name) in variants
            )
        ]

    def _has(self, device: str, residency: tuple[Residency, ...] | None) -> None:
        if residency is not None:
            self._loaded[device] = frozenset(each.variant for each in residency)
