"""What each tenant has had, so that the one that had least comes next.

A counter per tenant of device-seconds over its weight; the backlogged tenant with the smallest is
served. One that becomes backlogged is lifted to the smallest counter of those that are, so that
nobody saves up a claim while he asks for nothing. Source: Sheng et al., "Fairness in Serving Large
Language Models" (OSDI 2024), virtual token counter.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from pointsman.policy.ranking import Ranking

_EVEN: Final[Mapping[str, float]] = MappingProxyType({})


class TenantCounters:
    """Device-seconds over weight by tenant; tenants without a weight count 1."""

    def __init__(self, weights: Mapping[str, float] = _EVEN) -> None:
        self._weights = dict(weights)
        self._counters: dict[str, float] = {}
        self._numbers: dict[str, int] = {}
        self._waiting: dict[str, int] = {}
        self._backlogged: Ranking[str] = Ranking()
        self._last_s = 0.0

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
            first = self._backlogged.first()
            # Where nobody waits, the one that waited last stands for all of them.
            floor = self._last_s if first is None else first[0]
            self._set(tenant, max(self.of(tenant), floor))

    def left(self, tenant: str) -> None:
        """A task of the tenant waits no more: it started or ended."""
        self._waiting[tenant] -= 1
        if self._waiting[tenant] == 0:
            del self._waiting[tenant]
            self._backlogged.discard(tenant)
            self._last_s = self.of(tenant)

    def charge(self, tenant: str, device_s: float) -> None:
        """Count device-seconds; negative ones correct an estimate."""
        if device_s:
            self._set(tenant, self.of(tenant) + device_s / self._weights.get(tenant, 1.0))

    @property
    def backlogged(self) -> Ranking[str]:
        """Tenants with work that waits, by their counters."""
        return self._backlogged

    def _set(self, tenant: str, counter: float) -> None:
        self._counters[tenant] = counter
        if tenant in self._waiting:
            self._backlogged.put(tenant, counter, self._numbers[tenant])
