"""Settings of the scheduler, read once in `__main__`."""

from pathlib import Path

from pointsman.eventstore.service import LogSettings


class Settings(LogSettings):
    """Environment variables `POINTSMAN_<NAME>`."""

    pool: str = "main"
    """The pool that this scheduler leads."""
    registry: Path = Path("infra/triton/registry.toml")
    """The model registry."""
