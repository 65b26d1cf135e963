"""Tasks that wait in the order of a key, without those that may not begin at present."""

from heapq import heapify, heappop, heappush
from typing import Final

from pointsman.policy.eligibility import Eligibility
from pointsman.time_machine.traces import TracedTask

_Entries = list[tuple[float, int, TracedTask]]
"""A heap by key and number."""


class WaitingLine:
    """The first task that may begin; of equal keys the one with the smallest number."""

    def __init__(self, eligible: Eligibility) -> None:
        self._eligible: Final = eligible
        self._closed: Final = eligible.classes.closed, eligible.tenants.closed
        self._entries: _Entries = []
        self._apart: dict[tuple[str, str], _Entries] = {}
        """By model and tenant, of those of which nothing might begin once: a look at the first of
        each is enough, however many wait."""

    def __bool__(self) -> bool:
        """Whether any waits, even if it may not begin."""
        return bool(self._entries or self._apart)

    def put(self, task: TracedTask, key: float = 0.0) -> None:
        """A task waits."""
        apart = self._apart.get((task.model, task.tenant)) if self._apart else None
        heappush(self._entries if apart is None else apart, (key, task.number, task))

    def first(self) -> TracedTask | None:
        """The first that may begin; it goes on waiting."""
        entries = self._first()
        return None if entries is None else entries[0][2]

    def take(self) -> TracedTask | None:
        """The same, and it waits no more."""
        classes, tenants = self._closed
        if not (classes or tenants or self._apart):
            # As ever but where a past is repeated.
            return heappop(self._entries)[2] if self._entries else None
        entries = self._first()
        if entries is None:
            return None
        task = heappop(entries)[2]
        if not entries and entries is not self._entries:
            del self._apart[task.model, task.tenant]
        return task

    def discard(self, task: TracedTask) -> bool:
        """Take a task out, wherever it is; false if it does not wait."""
        group = task.model, task.tenant
        for entries in (self._entries, self._apart.get(group, [])):
            kept = [entry for entry in entries if entry[1] != task.number]
            if len(kept) < len(entries):
                entries[:] = kept
                heapify(entries)
                if not self._apart.get(group, [task]):
                    del self._apart[group]
                return True
        return False

    def _first(self) -> _Entries | None:
        entries, admits = self._entries, self._eligible.admits
        while entries and not admits(entries[0][2].model, entries[0][2].tenant):
            entry = heappop(entries)
            heappush(self._apart.setdefault((entry[2].model, entry[2].tenant), []), entry)
        best = entries or None
        for group, apart in self._apart.items():
            if admits(*group) and (best is None or apart[0] < best[0]):
                best = apart
        return best
