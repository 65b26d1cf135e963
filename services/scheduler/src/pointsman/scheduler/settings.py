"""Settings of the scheduler, read once in `__main__`."""

from pathlib import Path

from pointsman.runtime.settings import ServiceSettings


class Settings(ServiceSettings):
    """Environment variables `POINTSMAN_<NAME>`."""

    data: Path = Path(".pointsman")
    """Directory of the log, the blobs and the views; one scheduler at a time may use it."""
    pool: str = "main"
    """The pool that this scheduler leads."""
    registry: Path = Path("infra/triton/registry.toml")
    """The model registry."""
