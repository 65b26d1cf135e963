"""The events of changes that the queue asks for, with what they stand on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pointsman.contracts.decided import Decided
from pointsman.contracts.events import ClassFigures, DeviceScore, ResidencyGranted, SlotHeld
from pointsman.contracts.streams import stream_id
from pointsman.policy.class_choice import ClassChoice
from pointsman.policy.hold import Hold
from pointsman.policy.timing import load_timeout_s
from pointsman.scheduler.domain.devices import Device
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.residency.fitting import Fit, Fitting
from pointsman.scheduler.domain.residency.warm_up import Expected
from pointsman.scheduler.domain.tasks import OpenTask

_SCORES: Final = 8

_REASONS: Final = {
    "overdue": "its class has waited longer than its bound",
    "late": "its class is due, and the device has the credit for the load or nothing else to do",
    "backlog": "it has most work for each device that has it",
    "room": "no device has its model, and there is room beside what this one has",
}


@dataclass(frozen=True, slots=True)
class Swap:
    """A class that a device should load, for a task of it."""

    choice: ClassChoice
    task: OpenTask
    fit: Fit


class ChangeEvents:
    """Events about devices on the state of a pool at one moment."""

    def __init__(self, pool: Pool, fitting: Fitting, at: float) -> None:
        self._pool = pool
        self._fitting = fitting
        self._at = at

    def load(
        self,
        device: Device,
        swap: Swap,
        scores: Sequence[tuple[Device, DeviceScore]],
    ) -> Decided:
        """A load for a task that waits; `scores` are of the devices that could have taken it."""
        variant = swap.fit.variant
        samples = self._pool.influences.samples
        ranked = sorted((score for _, score in scores), key=lambda s: (-s.score, s.device))
        event = ResidencyGranted(
            at=self._at,
            applied_to=self._pool.applied_to,
            device=device.name,
            generation=device.generation + 1,
            executor=device.offer.executor,
            incarnation=device.offer.incarnation,
            unload=swap.fit.unload,
            load=variant,
            expected_s=round(swap.fit.load_s, 6),
            timeout_s=self._fitting.timeout_s(variant),
            reason=_REASONS[swap.choice.rule],
            task=str(swap.task.id),
            tenant=swap.task.tenant,
            figures=_figures(swap),
            scores=tuple(ranked[:_SCORES]),
            samples=tuple(samples[d.name].sample for d, _ in scores if d.name in samples),
            members=swap.fit.members,
        )
        return self._of(device.name, event)

    def idle_unload(self, device: Device, unload: tuple[str, ...]) -> Decided:
        """The memory of a device that has not been used for long."""
        idle_s = self._at - device.used_at
        return self._unload(device, unload, "idle", f"nothing has run on it for {idle_s:.0f} s")

    def gang_unload(self, device: Device, unload: tuple[str, ...], swap: Swap) -> Decided:
        """Room on a device that an instance will take beside another one."""
        reason = f"an instance of {swap.fit.variant} takes it together with others"
        return self._unload(device, unload, "gang", reason)

    def warm_up(self, device: Device, expected: Expected) -> Decided:
        """A load for tasks that are expected."""
        event = ResidencyGranted(
            at=self._at,
            applied_to=self._pool.applied_to,
            device=device.name,
            generation=device.generation + 1,
            executor=device.offer.executor,
            incarnation=device.offer.incarnation,
            unload=expected.unload,
            load=expected.variant,
            expected_s=round(self._pool.models.times_of(expected.variant).load_s, 6),
            timeout_s=self._fitting.timeout_s(expected.variant),
            cause="predicted",
            reason=expected.reason,
        )
        return self._of(device.name, event)

    def _unload(self, device: Device, unload: tuple[str, ...], cause: str, reason: str) -> Decided:
        event = ResidencyGranted(
            at=self._at,
            applied_to=self._pool.applied_to,
            device=device.name,
            generation=device.generation + 1,
            executor=device.offer.executor,
            incarnation=device.offer.incarnation,
            unload=unload,
            timeout_s=load_timeout_s(0.0, 0.0),
            cause=cause,
            reason=reason,
        )
        return self._of(device.name, event)

    def hold(self, hold: Hold, head: OpenTask) -> Decided:
        """A device stays free, because another one is expected to serve who waits."""
        family, variants = head.class_id
        event = SlotHeld(
            at=self._at,
            applied_to=self._pool.applied_to,
            device=hold.device,
            family=family,
            variants=variants,
            task=str(head.id),
            until=hold.until,
            reason="a device that has its model is expected to take it before a load would pay",
        )
        return self._of(hold.device, event)

    def _of(self, device: str, event: ResidencyGranted | SlotHeld) -> Decided:
        stream = stream_id("device", device)
        return Decided(stream, self._pool.version_of(stream), (event,))


def _figures(swap: Swap) -> ClassFigures:
    choice = swap.choice
    family, variants = swap.task.class_id
    return ClassFigures(
        rule=choice.rule,
        family=family,
        variants=variants,
        credit_s=round(choice.credit_s, 6),
        backlog=choice.backlog,
        holders=choice.holders,
        begin_in_s=round(choice.begin_in_s, 6),
        waited_s=round(choice.waited_s, 6),
        bound_s=round(choice.bound_s, 6),
    )
