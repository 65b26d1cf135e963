"""Settings of the degradation service, read once in `__main__`."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from pointsman.degradation.domain.rules import Rules
from pointsman.eventstore.service import LogSettings

_Seconds = Annotated[float, Field(ge=0.0, le=3600.0)]


class Settings(LogSettings):
    """Environment variables `POINTSMAN_<NAME>`; what each number is for stands in `Rules`."""

    pool: str = "main"
    """A pool whose ladder is there from the start; others come with their first sample."""
    degradation_conserve_s: _Seconds = 0.5
    """Predicted wait above which the ladder goes to `conserve`."""
    degradation_degrade_s: _Seconds = 1.5
    """Predicted wait above which it goes to `degrade`."""
    degradation_shed_s: _Seconds = 15.0
    """Predicted wait above which it goes to `shed`."""
    degradation_up_hold_s: _Seconds = 1.0
    """How long a threshold is exceeded before the ladder climbs."""
    degradation_recovery_s: _Seconds = 4.0
    """How long there is headroom before the ladder descends."""
    degradation_hold_s: _Seconds = 4.0
    """How long a level stands before the ladder moves the other way."""
    degradation_recovery_load: Annotated[float, Field(gt=0.0, le=1.0)] = 0.8
    """Share of what the best variants carry below which there is headroom."""
    degradation_device_high: Annotated[float, Field(gt=0.0, le=1.0)] = 0.95
    """Share of a device's use or memory above which it is at its limit."""

    @model_validator(mode="after")
    def _thresholds_rise(self) -> Self:
        conserve, degrade = self.degradation_conserve_s, self.degradation_degrade_s
        if not 0.0 < conserve < degrade < self.degradation_shed_s:
            message = (
                "the thresholds of the ladder must rise: "
                "DEGRADATION_CONSERVE_S < DEGRADATION_DEGRADE_S < DEGRADATION_SHED_S, all above 0"
            )
            raise ValueError(message)
        return self

    @property
    def rules(self) -> Rules:
        """The numbers as the domain takes them."""
        return Rules(
            conserve_s=self.degradation_conserve_s,
            degrade_s=self.degradation_degrade_s,
            shed_s=self.degradation_shed_s,
            up_hold_s=self.degradation_up_hold_s,
            recovery_s=self.degradation_recovery_s,
            hold_s=self.degradation_hold_s,
            recovery_load=self.degradation_recovery_load,
            device_high=self.degradation_device_high,
        )
