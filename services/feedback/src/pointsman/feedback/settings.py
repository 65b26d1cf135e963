"""Settings of the feedback service, read once in `__main__`."""

from pydantic import Field

from pointsman.eventstore.service import LogSettings


class Settings(LogSettings):
    """Environment variables `POINTSMAN_<NAME>`."""

    feedback_window_s: float = Field(default=600.0, ge=10.0)
    """Over how much time the behaviour of a pool is measured, in steps of 10 s."""
    feedback_measure_every_s: float = Field(default=10.0, ge=0.25)
    """How often it is measured; an event follows only from a change."""
