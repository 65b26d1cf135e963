"""Whose rules decided where in a log: those that the first grant after an election names.

What they were set to stands in the log, so that a pool that is its fold decides with that.
"""

from bisect import bisect_right

from pointsman.contracts.events import LeaderElected, TaskGranted
from pointsman.time_machine.pool_log import Entry


class PastPolicies:
    """Takes the events of one pool in order."""

    def __init__(self) -> None:
        self._elections: list[int] = []
        self._configs: list[str | None] = []

    def take(self, entry: Entry) -> None:
        """The next event of the pool."""
        position, _, _, event = entry
        if type(event) is LeaderElected or not self._elections:
            self._elections.append(position)
            self._configs.append(None)
        if type(event) is TaskGranted and self._configs[-1] is None:
            self._configs[-1] = event.explanation.config

    def at(self, position: int) -> str | None:
        """None where it is not known: nothing was granted."""
        place = bisect_right(self._elections, position) - 1
        return self._configs[place] if place >= 0 else None
