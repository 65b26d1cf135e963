"""What an idle device should have loaded before anybody asks for it."""

from dataclasses import dataclass

from pointsman.policy.warm_up import (
    ENOUGH_BUCKETS,
    HORIZON_S,
    request_likelihood,
    worth_a_warm_up,
)
from pointsman.scheduler.domain.devices import Device, DeviceStatus
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.residency.fitting import Fitting
from pointsman.scheduler.domain.rounds.gates import Gates


@dataclass(frozen=True, slots=True)
class Expected:
    """A variant that is likely to be asked for soon, and what would go for it."""

    variant: str
    unload: tuple[str, ...]
    reason: str


class WarmUps:
    """What is expected on the state of a pool that does not change meanwhile."""

    def __init__(self, pool: Pool, fitting: Fitting, gates: Gates, at: float) -> None:
        self._pool = pool
        self._fitting = fitting
        self._gates = gates
        self._at = at
        self._forecasts = {
            family: forecast
            for family, forecast in pool.influences.forecasts.items()
            if forecast.buckets >= ENOUGH_BUCKETS
        }
        self._served = _served(pool) if self._forecasts else set[str]()

    def likely_next(self, device: Device) -> Expected | None:
        """The family with the greatest forecast demand that no device serves, if it is worth it.

        A device whose model was used within the horizon keeps it.
        """
        forecasts = self._forecasts
        if not forecasts or (device.residency and self._at - device.used_at < HORIZON_S):
            return None
        resident_per_s = self._resident_per_s(device)
        for family in sorted(forecasts, key=lambda name: (-forecasts[name].ewma_per_s, name)):
            per_s = forecasts[family].ewma_per_s
            if not worth_a_warm_up(per_s, resident_per_s):
                return None
            found = None if family in self._served else self._loadable(device, family)
            if found is not None:
                variant, unload = found
                reason = (
                    f"a task of {family} is expected with {request_likelihood(per_s):.0%} within a "
                    f"minute ({per_s:.3g} a second), and no device has its model"
                )
                return Expected(variant, unload, reason)
        return None

    def _resident_per_s(self, device: Device) -> float:
        """Forecast demand for what the device has."""
        families = (self._pool.models[name].family for name in self._fitting.loaded(device))
        return max(
            (self._forecasts[name].ewma_per_s for name in families if name in self._forecasts),
            default=0.0,
        )

    def _loadable(self, device: Device, family: str) -> tuple[str, tuple[str, ...]] | None:
        """The best variant of a family that fits, and what would have to go."""
        if self._gates.family_paused(family) is not None:
            return None
        for model in self._pool.models.family(family):
            variant = model.variant
            refused = self._gates.variant_refused(device, variant) is not None
            if refused or not device.can_load(variant):
                continue
            unload = self._fitting.room_for(device, variant, displacing=False)
            if unload is not None and model.devices_per_instance == 1:
                return variant, unload
        return None


def _served(pool: Pool) -> set[str]:
    """Families that some device serves."""
    return {
        pool.models[variant].family
        for device in pool.devices.values()
        if device.status is DeviceStatus.READY
        for variant in device.residents
        if variant in pool.models
    }
