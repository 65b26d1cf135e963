"""What the devices of a pool can take in one round, less what the round has given out already."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final

from pointsman.contracts.levels import Level
from pointsman.policy.placement import Choice, Option
from pointsman.scheduler.domain.devices import Device, DeviceStatus
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.rounds.calls import Calls
from pointsman.scheduler.domain.rounds.gates import Gates
from pointsman.scheduler.domain.rounds.variants import VariantOrder, order_variants, serving_devices
from pointsman.scheduler.domain.tasks import ClassId, OpenTask

TOO_LATE: Final = "would finish after the deadline"
"""The one refusal that speaks of the task alone: another task may take the same slot."""


class Offers:
    """Options for tasks on the state of a pool that does not change meanwhile.

    `reserved` are devices that take nothing in this round, with the reason.
    """

    def __init__(self, pool: Pool, at: float, gates: Gates, reserved: Mapping[str, str]) -> None:
        self._pool = pool
        self._at = at
        self._gates = gates
        self._reserved = reserved
        self.calls = Calls(pool, at)
        self._taken: Counter[tuple[str, str]] = Counter()
        self._taken_of: Counter[str] = Counter()
        self._taken_by: Counter[str] = Counter()
        self._last: dict[str, str] = {}
        self._serving = tuple(
            dict.fromkeys(v for device in serving_devices(pool) for v in device.slots_of)
        )
        self._orders: dict[ClassId, VariantOrder] = {}
        self._expected: dict[str, float] = {}
        self._closed: dict[str, str | None] = {}

    def any_open(self) -> bool:
        """Whether some device has a free slot at all."""
        return any(device.occupied < device.offer.slots for device in serving_devices(self._pool))

    def take(self, task: OpenTask, choice: Choice) -> None:
        """A slot, or a place in a call that has one, was given out in this round."""
        device, variant = choice.chosen.device, choice.chosen.variant
        self._taken_by[variant] += 1
        if choice.joins:
            return self.calls.join(task, device, variant)
        self._taken[device, variant] += 1
        self._taken_of[device] += 1
        self._last[device] = variant
        return self.calls.open(task, self._pool.devices[device], variant)

    def order(self, task: OpenTask) -> VariantOrder:
        """The task's variants, most preferred first, and what turned their order."""
        order = self._orders.get(task.class_id)
        if order is None:
            order = order_variants(self._pool, task.class_id, self._serving)
            self._orders[task.class_id] = order
        return order

    def options(self, task: OpenTask, order: VariantOrder) -> Iterator[Option]:
        """Every loaded admissible variant on every device, refused ones with their reason."""
        worth_waiting = self._worth_waiting_for(task, order)
        for name, device in self._pool.devices.items():
            if device.status is DeviceStatus.DETACHED:
                continue
            sample = self._pool.influences.samples.get(name)
            for variant, rank in order.ranks.items():
                if variant not in device.slots_of:
                    continue
                free = self._free(name, device, variant)
                call = None if free else self.calls.joinable(task, name, variant)
                expected = (
                    self.calls.expected_s(call, variant) if call else self._expected_s(variant)
                )
                refused = order.refusals.get(variant)
                refused = refused or self._refusal(task, device, variant)
                refused = refused or self._no_room(task, free or bool(call), expected)
                if refused is None and self._waits_for(worth_waiting, variant, order):
                    refused = _worth_waiting(worth_waiting)
                yield Option(
                    device=name,
                    variant=variant,
                    quality=self._pool.models[variant].quality,
                    free_slots=free,
                    slots=device.offer.slots,
                    expected_s=expected,
                    affinity=self._last.get(name, device.last_variant) == variant,
                    temperature_c=sample.temperature_c if sample is not None else None,
                    refused=refused,
                    rank=rank,
                    joins=call is not None,
                )

    def left_alone_for(self, task: OpenTask) -> str | None:
        """The variant for whose sake a free slot of another one is left alone; None: none is."""
        order = self.order(task)
        better = self._worth_waiting_for(task, order)
        refused = {option.refused for option in self.options(task, order)}
        return better if _worth_waiting(better) in refused else None

    def samples(self, devices: set[str]) -> tuple[str, ...]:
        """Ids of the device samples that options on `devices` rest on."""
        known = self._pool.influences.samples
        return tuple(known[name].sample for name in sorted(devices) if name in known)

    def _worth_waiting_for(self, task: OpenTask, order: VariantOrder) -> str | None:
        """The most preferred variant that serves and meets the deadline, while there is time.

        A smaller one is for tasks that are due: with a slot of the better one expected before
        that, quality would be given away for nothing. From `conserve` on nothing is waited for.
        """
        if self._at >= task.key or self._pool.influences.level is not Level.NORMAL:
            return None
        for variant in order.usable():
            expected = self._expected_s(variant)
            in_time = task.deadline is None or self._at + expected <= task.deadline
            if in_time and variant in self._serving and not self._is_kept_off(variant):
                return variant
        return None

    def _is_kept_off(self, variant: str) -> bool:
        """Whether it is paused, or its breakers are open on all that have it."""
        if self._gates.model_paused(variant):
            return True
        breakers = self._pool.breakers
        return bool(breakers.troubled) and all(
            breakers.refused(device.name, variant, at=self._at)
            for device in serving_devices(self._pool)
            if variant in device.slots_of
        )

    def _waits_for(self, better: str | None, variant: str, order: VariantOrder) -> bool:
        if better is None or better == variant:
            return False
        # Where small ones come first, a larger one gives nothing away but time.
        models = self._pool.models
        return not order.small_first or models[variant].quality < models[better].quality

    def _expected_s(self, variant: str) -> float:
        expected = self._expected.get(variant)
        if expected is None:
            expected = self._expected[variant] = self._pool.models.run_times_of(variant).p50_s
        return expected

    def _free(self, name: str, device: Device, variant: str) -> int:
        free = device.free_slots(variant)
        if not free:
            return 0
        room = device.offer.slots - device.occupied - self._taken_of[name]
        return max(0, min(free - self._taken[name, variant], room))

    def _refusal(self, task: OpenTask, device: Device, variant: str) -> str | None:
        return (
            self._device_closed(device)
            or self._gates.task_refused(task)
            or self._gates.variant_refused(
                device, variant, self._taken_by[variant], self._taken[device.name, variant]
            )
        )

    def _device_closed(self, device: Device) -> str | None:
        # Looked at once in a round, and not for each task.
        name = device.name
        if name not in self._closed:
            self._closed[name] = self._gates.device_refused(device) or self._reserved.get(name)
        return self._closed[name]

    def _no_room(self, task: OpenTask, room: int, expected_s: float) -> str | None:
        if room <= 0:
            return "no free slot"
        deadline = task.accepted.deadline
        if deadline is not None and self._at + expected_s > deadline:
            return TOO_LATE
        return None


def _worth_waiting(better: str | None) -> str:
    return f"{better} is worth waiting for until the task is due"
