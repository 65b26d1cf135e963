"""What a device could load for a class, and which device suits a load best."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from pointsman.contracts.events import DeviceMode, DeviceScore
from pointsman.policy.lateness import is_too_late
from pointsman.policy.placement import Weights, weigh
from pointsman.policy.timing import load_timeout_s
from pointsman.scheduler.domain.devices import Device
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.registered import part_mib
from pointsman.scheduler.domain.rounds.gates import Gates
from pointsman.scheduler.domain.rounds.variants import order_variants
from pointsman.scheduler.domain.tasks import ClassId, OpenTask


@dataclass(frozen=True, slots=True)
class Fit:
    """A variant that a device could load for a task, and what would have to go first."""

    variant: str
    unload: tuple[str, ...]
    members: tuple[str, ...] = ()
    """Further devices that one instance takes."""


@dataclass(frozen=True, slots=True)
class Misfit:
    """A device can load nothing for a task."""

    too_late: bool = False
    """Some variant could be loaded, but not in time."""
    needed_s: float = 0.0


class Fitting:
    """Loads on the state of a pool that does not change meanwhile."""

    def __init__(self, pool: Pool, gates: Gates, at: float) -> None:
        self._pool = pool
        self._gates = gates
        self._at = at

    def fit(self, task: OpenTask, device: Device, *, displacing: bool) -> Fit | Misfit:
        """The most preferred variant that the device can load in time.

        With `displacing` residents that have work may go; those with a call in flight never do.
        """
        misfit = Misfit()
        for variant in self._usable(task.class_id, device):
            refused = self._is_refused(device, variant)
            unload = None if refused else self.room_for(device, variant, displacing=displacing)
            members = self._members(device, variant)
            if unload is None or members is None:
                continue
            unload_s, load_s = self.expected_s(unload, variant)
            needed_s = unload_s + load_s + self._run_s(task, variant)
            if task.deadline is None or not is_too_late(
                task.deadline, now=self._at, load_s=needed_s, run_s=0.0
            ):
                return Fit(variant, unload, members)
            if not misfit.too_late or needed_s < misfit.needed_s:
                misfit = Misfit(too_late=True, needed_s=needed_s)
        return misfit

    def meets(self, task: OpenTask, variants: Sequence[str]) -> bool:
        """Whether a device that has one of the variants could still finish a task in time."""
        return task.deadline is None or any(
            self._at + self._run_s(task, variant) <= task.deadline for variant in variants
        )

    def score(self, device: Device, variant: str) -> DeviceScore:
        """Suitability of a device for a load: memory fit, idleness, temperature and affinity."""
        sample = self._pool.influences.samples.get(device.name)
        memory = self._memory_fit(device, variant)
        used = sample.utilisation if sample is not None else None
        utilisation = 1.0 - (used if used is not None else device.occupied / device.offer.slots)
        affinity = 1.0 if device.last_variant == variant else 0.0
        score, temperature = weigh(
            Weights(),
            memory=memory,
            utilisation=utilisation,
            temperature_c=sample.temperature_c if sample is not None else None,
            affinity=affinity,
        )
        return DeviceScore(
            device=device.name,
            score=score,
            memory=round(memory, 6),
            utilisation=round(utilisation, 6),
            temperature=temperature,
            affinity=affinity,
        )

    def room_for(self, device: Device, variant: str, *, displacing: bool) -> tuple[str, ...] | None:
        """What has to go before the variant fits; None if it cannot fit."""
        loaded = self.loaded(device)
        if device.offer.mode is DeviceMode.DEDICATED:
            return (
                None if self._size(variant) > (device.offer.memory_mib or float("inf")) else loaded
            )
        lacking = self._size(variant) - self.free_mib(device)
        unload: list[str] = []
        waiting = self._pool.waiting.classes
        for name in sorted(loaded, key=lambda name: device.used_of.get(name, 0.0)):
            if lacking <= 0:
                break
            in_use = device.in_flight(name) or (
                not displacing and any(True for _ in waiting.served_by((name,)))
            )
            if not in_use:
                unload.append(name)
                lacking -= self._size(name)
        return tuple(unload) if lacking <= 0 else None

    def expected_s(self, unload: Iterable[str], load: str) -> tuple[float, float]:
        """How long each step of a change is expected to take; an empty `load` loads nothing."""
        models = self._pool.models
        return models.unloads.expected_s(unload), models.times_of(load).load_s if load else 0.0

    def timeout_s(self, unload: Iterable[str], load: str) -> float:
        """How long a change may take before it counts as failed."""
        if not load:
            return load_timeout_s(0.0, 0.0)
        model, times = self._pool.models[load], self._pool.models.times_of(load)
        swap_s = sum(self.expected_s(unload, load))
        return load_timeout_s(swap_s, model.memory_mib, measured=times.totals[0] > 0)

    def loaded(self, device: Device) -> tuple[str, ...]:
        """Registered variants on a device; what else its engine has loaded is its own."""
        return tuple(name for name in device.slots_of if name in self._pool.models)

    def _members(self, device: Device, variant: str) -> tuple[str, ...] | None:
        """The devices beside this one that an instance would take; None if there are too few.

        They stand on the same engine. Those with the least to give up come first.
        """
        needed = self._pool.models[variant].devices_per_instance - 1
        if not needed:
            return ()
        if device.offer.mode is not DeviceMode.DEDICATED:
            return None
        engine = device.engine
        others = [
            other
            for other in self._pool.devices.values()
            if other is not device
            and other.engine == engine
            and other.offer.mode is DeviceMode.DEDICATED
            and other.changing is None
            and not other.gang
            and not self._is_awaited(other)
            and self._gates.device_refused(other) is None
        ]
        others.sort(key=lambda other: (other.occupied, len(other.residency), other.used_at))
        return tuple(other.name for other in others[:needed]) if len(others) >= needed else None

    def _is_awaited(self, device: Device) -> bool:
        """Whether somebody waits for what it has just loaded.

        Otherwise two classes could take the same devices from each other for ever.
        """
        awaited = self._pool.waiting.classes.served_by(device.residents)
        return device.fresh and any(True for _ in awaited)

    def _usable(self, class_id: ClassId, device: Device) -> Iterator[str]:
        loadable = tuple(offered.variant for offered in device.offer.loadable)
        order = order_variants(self._pool, class_id, loadable)
        return (variant for variant in order.usable() if variant in loadable)

    def _is_refused(self, device: Device, variant: str) -> bool:
        has_just_failed = device.not_before.get(variant, 0.0) > self._at
        return has_just_failed or self._gates.variant_refused(device, variant) is not None

    def _run_s(self, task: OpenTask, variant: str) -> float:
        runs = self._pool.models.run_times_of(variant)
        return runs.p99_s if task.strict else runs.p50_s

    def free_mib(self, device: Device) -> float:
        """Memory for further models: what was measured, or what the loaded ones leave if less."""
        total = device.offer.memory_mib
        if not total:
            return float("inf")
        free = total - sum(self._size(name) for name in self.loaded(device))
        sample = self._pool.influences.samples.get(device.name)
        if sample is not None and sample.memory is not None and sample.memory_total_mib:
            free = min(free, (1.0 - sample.memory) * sample.memory_total_mib)
        return free

    def _memory_fit(self, device: Device, variant: str) -> float:
        """1 where nothing of the memory would be left over, less the more is."""
        total = device.offer.memory_mib
        return min(1.0, self._size(variant) / total) if total else 1.0

    def _size(self, variant: str) -> float:
        model = self._pool.models.get(variant)
        return part_mib(model) if model is not None else 0.0
