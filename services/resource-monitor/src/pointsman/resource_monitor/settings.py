"""Settings of the resource monitor, read once in `__main__`."""

from pydantic import field_validator

from pointsman.eventstore.service import LogSettings


class Settings(LogSettings):
    """Environment variables `POINTSMAN_<NAME>`."""

    resource_monitor_metrics: str = ""
    """Triton's metrics by device, `device=http://host:port/metrics` separated by commas; empty:
    Triton's metrics are not read."""

    @field_validator("resource_monitor_metrics")
    @classmethod
    def _addresses(cls, value: str) -> str:
        metrics_addresses(value)
        return value


def metrics_addresses(text: str) -> dict[str, str]:
    """Addresses by device; raises `ValueError` with the part that is wrong."""
    addresses: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        device, _, address = part.partition("=")
        if not device or not address.startswith(("http://", "https://")):
            raise ValueError(f"{part!r} is not device=http://host:port/metrics")
        if device in addresses:
            raise ValueError(f"device {device!r} is named twice")
        addresses[device] = address
    return addresses
