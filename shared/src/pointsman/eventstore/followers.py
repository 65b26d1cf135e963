"""Listeners of commits, and how far along the log they have been told."""

import logging
from collections.abc import Callable, Sequence
from typing import Final

from pointsman.eventstore.ports import CommitListener, Committed

_logger: Final = logging.getLogger(__name__)


class CommitListeners:
    """Each is called with every commit; one that fails keeps nothing from the others."""

    def __init__(self) -> None:
        self._listeners: list[CommitListener] = []

    def __bool__(self) -> bool:
        return bool(self._listeners)

    def add(self, listener: CommitListener) -> Callable[[], None]:
        """What is returned ends it."""
        # A new list each time: a listener may end itself while it is being called.
        self._listeners = [*self._listeners, listener]

        def end() -> None:
            self._listeners = [each for each in self._listeners if each is not listener]

        return end

    def tell(self, committed: Sequence[Committed]) -> None:
        for listener in self._listeners:
            try:
                listener(committed)
            except Exception:
                # The events are committed whatever a listener makes of them; the others go on.
                _logger.exception("a commit listener failed")


class Followers:
    """Listeners of the whole log, which are told every position once and in order."""

    def __init__(self) -> None:
        self._listeners = CommitListeners()
        self.position: int | None = None
        """The last position that was told; None while nobody follows."""

    def add(self, listener: CommitListener, head: int) -> Callable[[], None]:
        """Follow from behind `head`, or from where the others are. What is returned ends it."""
        if self.position is None:
            self.position = head
        end = self._listeners.add(listener)

        def end_following() -> None:
            end()
            if not self._listeners:
                self.position = None

        return end_following

    def deliver(self, committed: Sequence[Committed], *, after: int | None) -> None:
        """Tell what has not been told yet of `committed`, which is everything beyond `after`.

        What does not join up is left out: it was read before somebody began to follow.
        """
        position = self.position
        if position is None or after is None or after > position:
            return
        new = [each for each in committed if each.recorded.position > position]
        if new:
            self.position = new[-1].recorded.position
            self._listeners.tell(new)
