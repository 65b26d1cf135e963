"""The events of changes of residency, and of devices kept free, with what they stand on."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from msgspec import structs

from pointsman.contracts.decided import Decided
from pointsman.contracts.events import ClassFigures, DeviceScore, ResidencyGranted, SlotHeld
from pointsman.contracts.streams import stream_id
from pointsman.policy.class_choice import ClassChoice
from pointsman.policy.hold import Hold
from pointsman.scheduler.domain.devices import Device
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.residency.asks import OPERATOR, Ask
from pointsman.scheduler.domain.residency.fitting import Fit, Fitting
from pointsman.scheduler.domain.residency.warm_up import Expected
from pointsman.scheduler.domain.tasks import OpenTask

MOST_SCORES: Final = 8
"""Devices that a change names beside its own; of hundreds the rest would say nothing more."""

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
        samples = self._pool.influences.samples
        chosen_first = sorted(scores, key=lambda scored: scored[0] is not device)
        event = structs.replace(
            self._change(
                device,
                unload=swap.fit.unload,
                load=swap.fit.variant,
                cause="queue",
                reason=_REASONS[swap.choice.rule],
            ),
            task=str(swap.task.id),
            tenant=swap.task.tenant,
            figures=_figures(swap),
            scores=_best(score for _, score in scores),
            samples=tuple(samples[d.name].sample for d, _ in chosen_first if d.name in samples),
            members=swap.fit.members,
        )
        return self._of(device.name, event)

    def asked(
        self, device: Device, ask: Ask, *, unload: tuple[str, ...], scores: Iterable[DeviceScore]
    ) -> Decided:
        """What an operator has asked for."""
        load = ask.event.variant if ask.event.load else ""
        event = structs.replace(
            self._change(device, unload=unload, load=load, cause=OPERATOR, reason=ask.event.reason),
            by=ask.event.by,
            scores=_best(scores),
        )
        return self._of(device.name, event)

    def warm_up(self, device: Device, expected: Expected) -> Decided:
        """A load for tasks that are expected."""
        event = self._change(
            device,
            unload=expected.unload,
            load=expected.variant,
            cause="predicted",
            reason=expected.reason,
        )
        return self._of(device.name, event)

    def idle_unload(self, device: Device, unload: tuple[str, ...]) -> Decided:
        """The memory of a device that has not been used for long."""
        idle_s = self._at - device.used_at
        reason = f"nothing has run on it for {idle_s:.0f} s"
        return self._of(
            device.name, self._change(device, unload=unload, cause="idle", reason=reason)
        )

    def gang_unload(self, device: Device, unload: tuple[str, ...], swap: Swap) -> Decided:
        """Room on a device that an instance will take beside another one."""
        reason = f"an instance of {swap.fit.variant} takes it together with others"
        return self._of(
            device.name, self._change(device, unload=unload, cause="gang", reason=reason)
        )

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

    def _change(
        self, device: Device, *, unload: tuple[str, ...], load: str = "", cause: str, reason: str
    ) -> ResidencyGranted:
        unload_s, load_s = self._fitting.expected_s(unload, load)
        return ResidencyGranted(
            at=self._at,
            applied_to=self._pool.applied_to,
            device=device.name,
            generation=device.generation + 1,
            executor=device.offer.executor,
            incarnation=device.offer.incarnation,
            unload=unload,
            load=load,
            expected_s=round(unload_s + load_s, 6),
            expected_unload_s=round(unload_s, 6),
            timeout_s=self._fitting.timeout_s(unload, load),
            cause=cause,
            reason=reason,
        )

    def _of(self, device: str, event: ResidencyGranted | SlotHeld) -> Decided:
        return self._pool.decided(stream_id("device", device), event)


def _best(scores: Iterable[DeviceScore]) -> tuple[DeviceScore, ...]:
    return tuple(sorted(scores, key=lambda score: (-score.score, score.device))[:MOST_SCORES])


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
        unload_s=round(choice.unload_s, 6),
    )
