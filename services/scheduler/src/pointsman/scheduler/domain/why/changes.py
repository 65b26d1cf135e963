"""What devices loaded while a task waited, or were to load and did not, in words."""

from typing import Final, NamedTuple
from uuid import UUID

from pointsman.contracts.events import (
    DeviceAttached,
    ResidencyFailed,
    ResidencyGranted,
    TaskAccepted,
)


class _Verbs(NamedTuple):
    load: str
    unload: str


_GOES_ON: Final = _Verbs("was loading", "was unloading")
_DONE: Final = _Verbs("loaded", "unloaded")
_NOT_DONE: Final = _Verbs("was to load", "was to unload")


class ToldChanges:
    """Follows the changes of devices in log order; at most one of a device is under way."""

    def __init__(self, task: UUID, accepted: TaskAccepted) -> None:
        self._task = task
        self._accepted = accepted
        self._under_way: dict[str, ResidencyGranted] = {}

    def begun(self, event: ResidencyGranted) -> str:
        """A change begins, whose end may not be read."""
        self._under_way[event.device] = event
        return self._words(event, _GOES_ON)

    def done(self, device: str) -> str:
        """It has ended well; empty: its beginning was not read."""
        change = self._under_way.pop(device, None)
        return "" if change is None else self._words(change, _DONE)

    def failed(self, event: ResidencyFailed) -> str:
        """It has ended otherwise; empty: its beginning was not read."""
        change = self._under_way.pop(event.device, None)
        if change is None:
            return ""
        return f"{self._words(change, _NOT_DONE)}, and that failed: {event.message}"

    def cut(self, event: DeviceAttached) -> str:
        """Nobody will report it any more; empty: it goes on, or there is none."""
        change = self._under_way.get(event.device)
        if change is None or event.incarnation == change.incarnation:
            return ""
        del self._under_way[event.device]
        if change.load and any(has.variant == change.load for has in event.residency):
            return f"{self._words(change, _DONE)}, and its executor was gone before it said so"
        return f"{self._words(change, _NOT_DONE)}, and did not: its executor was gone"

    def _words(self, change: ResidencyGranted, verbs: _Verbs) -> str:
        away = ", ".join(change.unload)
        if not change.load:
            because = change.reason or change.cause
            return f"{change.device} {verbs.unload} {away}, because {because}"
        instead = f" in place of {away}" if away else ""
        return f"{change.device} {verbs.load} {change.load}{instead}, {self._for_whom(change)}"

    def _for_whom(self, change: ResidencyGranted) -> str:
        if change.by:
            return f"as {change.by} had asked"
        if change.task == str(self._task):
            return "for this task"
        if not change.task:
            return f"because {change.reason or change.cause}"
        figures = change.figures
        same = figures is not None and figures.variants == self._accepted.variants
        whose = "of the same class" if same else f"of tenant {change.tenant}"
        return f"for task {change.task} {whose}, because {change.reason or change.cause}"
