"""What the devices of a pool can take in one round, less what the round has given out already."""

from collections import Counter
from collections.abc import Iterator
from typing import Final

from pointsman.policy.placement import Option
from pointsman.scheduler.domain.devices import Device, DeviceStatus
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.tasks import OpenTask

TOO_LATE: Final = "would finish after the deadline"
"""The one refusal that speaks of the task alone: another task may take the same slot."""


class Offers:
    """Options for tasks on the state of a pool that does not change meanwhile."""

    def __init__(self, pool: Pool, at: float) -> None:
        self._pool = pool
        self._at = at
        self._taken: Counter[tuple[str, str]] = Counter()
        self._taken_of: Counter[str] = Counter()
        self._last: dict[str, str] = {}

    def any_open(self) -> bool:
        """Whether some device has a free slot at all."""
        return any(
            device.status is DeviceStatus.READY and device.occupied < device.offer.slots
            for device in self._pool.devices.values()
        )

    def take(self, device: str, variant: str) -> None:
        """A slot was given out in this round."""
        self._taken[device, variant] += 1
        self._taken_of[device] += 1
        self._last[device] = variant

    def options(self, task: OpenTask) -> Iterator[Option]:
        """Every loaded admissible variant on every device, refused ones with their reason."""
        worth_waiting = self._worth_waiting_for(task)
        for name, device in self._pool.devices.items():
            if device.status is DeviceStatus.DETACHED:
                continue
            for variant in task.accepted.variants:
                if variant not in device.slots_of:
                    continue
                free = self._free(name, device, variant)
                expected = self._pool.run_times_of(variant).p50_s
                refused = self._refusal(task, device, free, expected)
                if refused is None and worth_waiting not in {None, variant}:
                    refused = f"{worth_waiting} is worth waiting for until the task is due"
                yield Option(
                    device=name,
                    variant=variant,
                    quality=self._pool.models[variant].quality,
                    free_slots=free,
                    slots=device.offer.slots,
                    expected_s=expected,
                    affinity=self._last.get(name, device.last_variant) == variant,
                    refused=refused,
                )

    def _worth_waiting_for(self, task: OpenTask) -> str | None:
        """The best variant that serves at present and meets the deadline, while there is time.

        A smaller one is for tasks that are due: with a slot of the better one expected before
        that, quality would be given away for nothing.
        """
        accepted = task.accepted
        if self._at >= accepted.key:
            return None
        for variant in accepted.variants:
            expected = self._pool.run_times_of(variant).p50_s
            in_time = accepted.deadline is None or self._at + expected <= accepted.deadline
            if in_time and self._serves(variant):
                return variant
        return None

    def _serves(self, variant: str) -> bool:
        return any(
            device.status is DeviceStatus.READY and variant in device.slots_of
            for device in self._pool.devices.values()
        )

    def _free(self, name: str, device: Device, variant: str) -> int:
        free = device.free_slots(variant)
        if not free:
            return 0
        room = device.offer.slots - device.occupied - self._taken_of[name]
        return max(0, min(free - self._taken[name, variant], room))

    def _refusal(self, task: OpenTask, device: Device, free: int, expected_s: float) -> str | None:
        if device.status is not DeviceStatus.READY:
            return f"device is {device.status}"
        if free <= 0:
            return "no free slot"
        deadline = task.accepted.deadline
        if deadline is not None and self._at + expected_s > deadline:
            return TOO_LATE
        return None
