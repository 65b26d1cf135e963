"""What is known of the pools of a group: their last readings, and what was sent since."""

from collections import Counter
from collections.abc import Iterable
from typing import Final, NamedTuple

from pointsman.contracts.routing import AUTO
from pointsman.contracts.telemetry import FamilyLoad, PoolSample
from pointsman.policy.pool_choice import PoolReading

FORGOTTEN_S: Final = 600.0
"""A pool that was silent for so long is no part of the group any more."""

_READY: Final = "ready"


class _Heard(NamedTuple):
    sample: PoolSample
    at: float


class GroupLoad:
    """The newest reading of each pool. Times are the reader's own, of a clock that never jumps."""

    def __init__(self) -> None:
        self._heard: dict[str, _Heard] = {}
        self._sent: dict[str, Counter[str]] = {}

    def hear(self, sample: PoolSample, *, at: float) -> None:
        """A leader's reading of its pool; what was sent before is in it."""
        self._heard[sample.pool] = _Heard(sample, at)
        self._sent.pop(sample.pool, None)

    def sent(self, pool: str, family: str) -> None:
        """A task was sent to a pool, which does not know of it in its last reading."""
        self._sent.setdefault(pool, Counter())[family] += 1

    def pools(self, *, at: float) -> list[str]:
        """The pools of the group by name, as far as any were heard."""
        return sorted(n for n, heard in self._heard.items() if at - heard.at <= FORGOTTEN_S)

    def readings(self, family: str, *, at: float, known: Iterable[str] = ()) -> list[PoolReading]:
        """What the pools say of a family; `known` are pools that need not have been heard."""
        names = {*self.pools(at=at), *known}
        return [self._reading(name, family, at) for name in sorted(names)]

    def _reading(self, pool: str, family: str, at: float) -> PoolReading:
        heard = self._heard.get(pool)
        if heard is None:
            return PoolReading(pool)
        load = _load_of(heard.sample, family)
        age_s = max(0.0, at - heard.at)
        if load is None or heard.sample.paused:
            return PoolReading(pool, age_s)
        each_s = load.best_service_s / max(1, load.best_slots)
        wait_s = load.predicted_wait_s if load.best else load.load_wait_s
        if wait_s is not None:
            # What an operator keeps back there would go before a further task as well.
            wait_s += load.kept_back * each_s
        return PoolReading(
            pool,
            age_s,
            wait_s,
            _busy(heard.sample),
            sent=self._sent.get(pool, Counter[str]())[family],
            each_s=each_s,
        )


def _load_of(sample: PoolSample, family: str) -> FamilyLoad | None:
    """The family's load; of a task whose family is still to be found, that of the longest wait."""
    if family != AUTO:
        return next((load for load in sample.families if load.family == family), None)
    served = [load for load in sample.families if load.best]
    return max(served, key=lambda load: load.predicted_wait_s or 0.0, default=None)


def _busy(sample: PoolSample) -> float | None:
    slots = [device for device in sample.devices if device.state == _READY]
    total = sum(device.slots for device in slots)
    return sum(device.occupied for device in slots) / total if total else None
