"""What an executor says of the health of its device."""

from pointsman.contracts.leases import DeviceHealth


def health(*, healthy: bool, quiescent: bool = False, incarnation: str = "first") -> DeviceHealth:
    return DeviceHealth(
        command_id=f"{incarnation}/cpu-0/1",
        executor="executor-1",
        incarnation=incarnation,
        device="cpu-0",
        healthy=healthy,
        reason="canary",
        quiescent=quiescent,
    )
