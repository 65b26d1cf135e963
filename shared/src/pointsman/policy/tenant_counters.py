"""What each tenant has had, so that the one that had least comes next.

A counter per tenant of device-seconds over its weight; the backlogged tenant with the smallest is
served. One that becomes backlogged is lifted to the smallest counter of those that are, so that
nobody saves up a claim while he asks for nothing. Source: Sheng et al., "Fairness in Serving Large
Language Models" (OSDI 2024), virtual token counter.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from pointsman.policy.ranking import Ranking

_EVEN: Final[Mapping[str, float]] = MappingProxyType({})


Arrival = tuple[float | None, bool]
"""The counter of a tenant, and whether it was known."""


class TenantCounters:
    """Device-seconds over weight by tenant; tenants without a weight count 1."""

    def __init__(self, weights: Mapping[str, float] = _EVEN) -> None:
        self._weights = dict(weights)
        self._counters: dict[str, float] = {}
        self.all: Final[Mapping[str, float]] = self._counters
        """The counters of all tenants that ever asked for something; of any other it is 0."""
        self._numbers: dict[str, int] = {}
        self._waiting: dict[str, int] = {}
        self._backlogged: Ranking[str] = Ranking()
        self._moved: set[str] = set()
        """Tenants whose place in that is no longer the one of their counter."""
        self._last_s = 0.0

    @property
    def backlogged(self) -> Ranking[str]:
        """Tenants with work that waits, by their counters."""
        # Counters change with every start and end, the order is asked for when a task is chosen.
        while self._moved:
            tenant = self._moved.pop()
            self._backlogged.put(tenant, self._counters[tenant], self._numbers[tenant])
        return self._backlogged

    def weigh(self, tenant: str, weight: float) -> None:
        """Give a tenant another weight; what it has had counts as it did."""
        self._weights[tenant] = weight

    def of(self, tenant: str) -> float:
        """The counter of a tenant."""
        return self._counters.get(tenant, 0.0)

    def arrived(self, tenant: str) -> None:
        """A task of the tenant waits now."""
        waiting = self._waiting.get(tenant, 0)
        self._waiting[tenant] = waiting + 1
        if waiting == 0:
            self._numbers.setdefault(tenant, len(self._numbers))
            first_s = self.backlogged.first_key()
            # Where nobody waits, the one that waited last stands for all of them.
            floor = self._last_s if first_s is None else first_s
            self._set(tenant, max(self.of(tenant), floor))

    def arrival(self, tenant: str) -> Arrival:
        """How a tenant stands before one more task of it waits; for `forget_arrival`."""
        return self._counters.get(tenant), tenant in self._numbers

    def forget_arrival(self, tenant: str, before: Arrival) -> None:
        """Take the last `arrived` of a tenant back, as if it had not been."""
        counter, known = before
        self._waiting[tenant] -= 1
        if self._waiting[tenant] == 0:
            del self._waiting[tenant]
            self._forget(tenant)
        if counter is None:
            self._counters.pop(tenant, None)
        else:
            self._set(tenant, counter)
        if not known:
            self._numbers.pop(tenant, None)

    def left(self, tenant: str) -> None:
        """A task of the tenant waits no more: it started or ended."""
        waiting = self._waiting[tenant] - 1
        if waiting:
            self._waiting[tenant] = waiting
        else:
            del self._waiting[tenant]
            self._forget(tenant)
            self._last_s = self.of(tenant)

    def started(self, tenant: str, device_s: float) -> None:
        """A task of the tenant waits no more and takes so many device-seconds."""
        self.left(tenant)
        self.charge(tenant, device_s)

    def charge(self, tenant: str, device_s: float) -> None:
        """Count device-seconds; negative ones correct an estimate."""
        if device_s:
            had_s = self._counters.get(tenant, 0.0)
            self._set(tenant, had_s + device_s / self._weights.get(tenant, 1.0))

    def restore(self, tenant: str, counter: float) -> None:
        """Give a tenant exactly the counter that it had."""
        self._set(tenant, counter)

    @property
    def totals(self) -> tuple[tuple[tuple[str, float], ...], float]:
        """Counters in the order that breaks ties, and the one that a newcomer is lifted to."""
        return tuple((name, self.of(name)) for name in self._numbers), self._last_s

    def resume(self, counters: Iterable[tuple[str, float]], last_s: float) -> None:
        """Go on from what `totals` gave; who waits stays as it is."""
        resumed = list(counters)
        for tenant, _ in resumed:
            # Before any has its new number: two must not share one.
            self._forget(tenant)
        self._numbers = {}
        for number, (tenant, counter) in enumerate(resumed):
            self._numbers[tenant] = number
            self._set(tenant, counter)
        self._last_s = last_s

    def _set(self, tenant: str, counter: float) -> None:
        self._counters[tenant] = counter
        if tenant in self._waiting:
            self._moved.add(tenant)

    def _forget(self, tenant: str) -> None:
        self._moved.discard(tenant)
        self._backlogged.discard(tenant)
