"""What may begin at present: of some classes and tenants only so many tasks may run at a time."""

from collections.abc import Hashable
from typing import Final, Generic, TypeVar

NameT = TypeVar("NameT", bound=Hashable)


class Limits(Generic[NameT]):
    """How many may run and how many do, by name."""

    def __init__(self) -> None:
        self.closed: Final[set[NameT]] = set()
        """Names of which nothing more may begin; nobody else changes it."""
        self.reopened = False
        """Something may begin that might not; whoever has looked at that takes it back."""
        self._most: dict[NameT, int] = {}
        self._running: dict[NameT, int] = {}

    def limit(self, name: NameT, most: int | None) -> None:
        """At most so many run from now on, none with 0, as many as there are slots with None."""
        if most is None:
            self._most.pop(name, None)
        else:
            self._most[name] = most
        self._judge(name)

    def started(self, name: NameT) -> None:
        """One more runs."""
        self._running[name] = self._running.get(name, 0) + 1
        if name in self._most:
            self._judge(name)

    def ended(self, name: NameT) -> None:
        """One runs no more."""
        self._running[name] -= 1
        if name in self._most:
            self._judge(name)

    def _judge(self, name: NameT) -> None:
        most = self._most.get(name)
        if most is not None and self._running.get(name, 0) >= most:
            self.closed.add(name)
        elif name in self.closed:
            self.closed.remove(name)
            self.reopened = True


class Eligibility:
    """Limits of classes and of tenants."""

    def __init__(self) -> None:
        self.counts = False
        """Whether runs are counted and limits kept; to be said before the first one starts."""
        self.classes: Final = Limits[Hashable]()
        self.tenants: Final = Limits[str]()

    def admits(self, class_id: Hashable, tenant: str) -> bool:
        """Whether one more task of these may begin."""
        return class_id not in self.classes.closed and tenant not in self.tenants.closed

    def started(self, class_id: Hashable, tenant: str) -> None:
        """A task of these runs."""
        if self.counts:
            self.classes.started(class_id)
            self.tenants.started(tenant)

    def ended(self, class_id: Hashable, tenant: str) -> None:
        """A task of these runs no more."""
        if self.counts:
            self.classes.ended(class_id)
            self.tenants.ended(tenant)

    def has_reopened(self) -> bool:
        """Whether something may begin that might not when this was last asked."""
        reopened = self.classes.reopened or self.tenants.reopened
        self.classes.reopened = self.tenants.reopened = False
        return reopened
