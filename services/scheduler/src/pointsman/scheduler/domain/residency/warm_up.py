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


def likely_next(
    pool: Pool, fitting: Fitting, gates: Gates, device: Device, *, at: float
) -> Expected | None:
    """The family with the greatest forecast demand that no device serves, if it is worth it.

    A device whose model was used within the horizon keeps it.
    """
    forecasts = {
        family: forecast
        for family, forecast in pool.influences.forecasts.items()
        if forecast.buckets >= ENOUGH_BUCKETS
    }
    if not forecasts or (device.residency and at - device.used_at < HORIZON_S):
        return None
    served = _served(pool)
    resident_per_s = max(
        (
            forecasts[family].ewma_per_s
            for variant in fitting.loaded(device)
            if (family := pool.models[variant].family) in forecasts
        ),
        default=0.0,
    )
    for family in sorted(forecasts, key=lambda name: (-forecasts[name].ewma_per_s, name)):
        per_s = forecasts[family].ewma_per_s
        if not worth_a_warm_up(per_s, resident_per_s):
            return None
        if family in served:
            continue
        for model in pool.models.family(family):
            found = _loadable(fitting, gates, device, model.variant)
            if found is not None and model.devices_per_instance == 1:
                reason = (
                    f"a task of {family} is expected with {request_likelihood(per_s):.0%} within a "
                    f"minute ({per_s:.3g} a second), and no device has its model"
                )
                return Expected(model.variant, found, reason)
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


def _loadable(
    fitting: Fitting, gates: Gates, device: Device, variant: str
) -> tuple[str, ...] | None:
    offered = any(each.variant == variant for each in device.offer.loadable)
    if not offered or gates.variant_refused(device, variant, 0) is not None:
        return None
    return fitting.room_for(device, variant, displacing=False)
