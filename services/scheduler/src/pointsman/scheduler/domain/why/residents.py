"""Which devices have a model, or are loading it, from the events of a log alone."""

from collections.abc import Iterator

from pointsman.contracts import events
from pointsman.contracts.events import Decision, Residency, ScopeKind


class Residents:
    """Follows devices and pauses of families in log order; other events change nothing."""

    def __init__(self) -> None:
        self._loaded: dict[str, frozenset[str]] = {}
        self._changing: dict[str, events.ResidencyGranted] = {}
        self._pool_of: dict[str, str] = {}
        self._out_of_service: set[tuple[str, str]] = set()
        """Devices, each with why."""
        self._paused: set[tuple[str, str]] = set()
        """Families, each with its pool."""

    def take(self, event: Decision) -> None:
        """What an event says about what is loaded on its device, and whether that serves."""
        match event:
            case events.DeviceAttached():
                self._attached(event)
            case events.ResidencyGranted():
                self._changing[event.device] = event
                left = self._loaded.get(event.device, frozenset[str]()) - {*event.unload}
                self._loaded[event.device] = left
            case events.ResidencyChanged() | events.ResidencyFailed():
                self._has(event.device, event.residency)
                self._changing.pop(event.device, None)
            case events.PoolPaused(kind=ScopeKind.FAMILY):
                self._paused.add((event.pool, event.name))
            case events.PoolResumed(kind=ScopeKind.FAMILY):
                self._paused.discard((event.pool, event.name))
            case _:
                self._serves(event)

    def cut_by(self, event: Decision) -> events.ResidencyGranted | None:
        """The change that nobody will report any more, as an executor that began anew attaches."""
        if not isinstance(event, events.DeviceAttached):
            return None
        change = self._changing.get(event.device)
        return None if change is None or change.incarnation == event.incarnation else change

    def expected_for(self, held: events.SlotHeld) -> list[str] | None:
        """Devices that could be expected to take what a device is kept free for, in words.

        None: nothing is known of any that has its model.
        """
        having = [name for name in self._having(held.variants) if name != held.device]
        if not having:
            return None
        if (self._pool_of.get(held.device, ""), held.family) in self._paused:
            return []
        away = {name for name, _ in self._out_of_service}
        return [self._as_holder(name, held.variants) for name in having if name not in away]

    def _having(self, variants: tuple[str, ...]) -> Iterator[str]:
        for name in dict.fromkeys((*self._loaded, *self._changing)):
            if self._has_any(name, variants) or self._loads_any(name, variants):
                yield name

    def _has_any(self, name: str, variants: tuple[str, ...]) -> bool:
        return not self._loaded.get(name, frozenset[str]()).isdisjoint(variants)

    def _loads_any(self, name: str, variants: tuple[str, ...]) -> bool:
        change = self._changing.get(name)
        return change is not None and change.load in variants

    def _as_holder(self, name: str, variants: tuple[str, ...]) -> str:
        return name if self._has_any(name, variants) else f"{name} (which was loading it)"

    def _attached(self, event: events.DeviceAttached) -> None:
        if self.cut_by(event):
            del self._changing[event.device]
        self._pool_of[event.device] = event.pool
        self._out_of_service -= {(event.device, "detached"), (event.device, "suspended")}
        self._has(event.device, event.residency)

    def _serves(self, event: Decision) -> None:
        match event:
            case events.DeviceDetached():
                self._out_of_service.add((event.device, "detached"))
            case events.DeviceSuspended():
                self._out_of_service.add((event.device, "suspended"))
            case events.DeviceResumed():
                self._out_of_service.discard((event.device, "suspended"))
                self._has(event.device, event.residency)
            case events.DrainStarted():
                self._out_of_service.add((event.device, "drained"))
            case events.DrainEnded():
                self._out_of_service.discard((event.device, "drained"))
            case _:
                pass

    def _has(self, device: str, residency: tuple[Residency, ...] | None) -> None:
        if residency is not None:
            self._loaded[device] = frozenset(each.variant for each in residency)
