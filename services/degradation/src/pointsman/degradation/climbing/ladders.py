"""The ladders of a group: each pool that was ever heard of has one of its own."""

from collections.abc import Callable, Iterator

from pointsman.contracts.telemetry import DeviceReading, PoolSample
from pointsman.degradation.climbing.climber import Climber
from pointsman.degradation.domain.record import Record, Records


class Ladders:
    """Climbers by pool. All methods run on one event loop.

    `start` makes the climber of a pool and has it look from then on; it is called once for each.
    """

    def __init__(self, records: Records, start: Callable[[Record], Climber]) -> None:
        self._records = records
        self._start = start
        self._climbers: dict[str, Climber] = {}
        self._pool_of: dict[str, str] = {}
        """By device, as the latest sample that names it says."""

    def __iter__(self) -> Iterator[Climber]:
        """In the order of the pools' names."""
        return (self._climbers[pool] for pool in sorted(self._climbers))

    def open(self, pool: str) -> Climber:
        """The climber of a pool, which is there from now on."""
        climber = self._climbers.get(pool)
        if climber is None:
            climber = self._climbers[pool] = self._start(self._records.of(pool))
        return climber

    def of(self, pool: str) -> Climber | None:
        """The climber of a pool, if it was ever heard of."""
        return self._climbers.get(pool)

    @property
    def pools(self) -> tuple[str, ...]:
        """Whose ladders there are, by name."""
        return tuple(sorted(self._climbers))

    def sampled(self, sample: PoolSample) -> None:
        """A reading of a pool, which may be new here."""
        self._pool_of.update((device.device, sample.pool) for device in sample.devices)
        self.open(sample.pool).sampled(sample)

    def measured(self, reading: DeviceReading) -> None:
        """A reading of a device; of one that no pool has named yet the next one will do."""
        pool = self._pool_of.get(reading.device)
        if pool is not None:
            self._climbers[pool].measured(reading)
