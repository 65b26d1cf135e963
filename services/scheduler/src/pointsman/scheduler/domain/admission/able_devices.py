"""Whether any device of the pool could ever run a variant, whatever keeps it from that now.

A device that is drained, suspended or away counts: it may be back. Asked at the door only, of new
tasks and new asks for loads. What was taken stands in the log, where a replay does not ask for it
again, and waits for a device that can run it.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from pointsman.contracts.commands import Rejected, SubmitTask
from pointsman.contracts.events import DeviceMode, ModelRegistered
from pointsman.contracts.refusals import NOT_LOADABLE
from pointsman.scheduler.domain.admission.grounds import Unable
from pointsman.scheduler.domain.devices import Device, DeviceStatus
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.registered import part_mib

_REMEMBERED: Final = 256
"""Refusals that are known by heart: looking at each of a thousand devices takes milliseconds, and
whoever sends what cannot run sends more of it."""

_Gang = tuple[str, str]
_ALONE: Final[Mapping[_Gang | None, int]] = MappingProxyType({})

_NAMED: Final = 4
"""Variants whose reason is told; families have fewer, nearly always."""


def refuse_unable(pool: Pool, task: SubmitTask, variants: Sequence[str]) -> Rejected | None:
    """Refuse a task that no device of the pool could ever run with one of the variants."""
    why = never_able(pool, variants)
    if why is None:
        return None
    family = [model.variant for model in pool.models.family(task.family)]
    others = "allow it the other models of its family, or " if not never_able(pool, family) else ""
    return Rejected(
        code=NOT_LOADABLE,
        message=f"no device of pool {pool.name} could ever run it: {why}",
        next=f"{others}attach a device that can; `pointsman device ls` shows those there are",
    )


def never_able(pool: Pool, variants: Sequence[str]) -> str | None:
    """Why no device could ever run one of the variants, as the end of a sentence.

    None if one could, and while no device is attached: nothing is known of those to come.
    """
    if any(_was_able(pool, variant) for variant in variants):
        return None
    key, models = tuple(variants), tuple(map(pool.models.get, variants))
    known = pool.grounds.unable.get(key)
    if known is not None and known[:2] == (pool.devices.changes, models):
        return known.why
    detached = all(device.status is DeviceStatus.DETACHED for device in pool.devices.values())
    if detached or any(_is_able(pool, variant) for variant in variants):
        return None
    devices = [*pool.devices.values()]
    reasons = [why_unable(pool, devices, variant) for variant in variants[:_NAMED]]
    left = len(variants) - len(reasons)
    why = "; ".join(reasons) + (f"; and {left} more variant(s) likewise" if left else "")
    if len(pool.grounds.unable) >= _REMEMBERED:
        pool.grounds.unable.clear()
    pool.grounds.unable[key] = Unable(pool.devices.changes, models, why)
    return why


def could_run(pool: Pool, device: Device, variant: str) -> bool:
    """Whether a device has a variant, or could have it loaded if nothing else were there."""
    return _could_run(pool, device, variant, _together(pool, variant))


def why_unable(pool: Pool, devices: Sequence[Device], variant: str) -> str:
    """Why none of these devices could run a variant, if none could."""
    offering = [device for device in devices if device.can_load(variant)]
    if not offering or (model := pool.models.get(variant)) is None:
        return f"{variant} is loaded on none, and none has it to load"
    roomy = [device for device in offering if _has_memory(device, model)]
    if not roomy:
        largest = max(offering, key=lambda device: device.offer.memory_mib)
        return (
            f"{variant} needs {part_mib(model):g} MiB, the largest device that has it to load, "
            f"{largest.name}, has {largest.offer.memory_mib:g} MiB"
        )
    together = _together(pool, variant)
    most = max(together.get(_gang(device), 1) for device in roomy)
    return (
        f"an instance of {variant} takes {model.devices_per_instance} devices in mode dedicated "
        f"of one engine, at most {most} are together"
    )


def _was_able(pool: Pool, variant: str) -> bool:
    """Whether the device that was found before is able still."""
    found = pool.grounds.able.get(variant)
    known = None if found is None else pool.devices.get(found)
    return known is not None and could_run(pool, known, variant)


def _is_able(pool: Pool, variant: str) -> bool:
    together = _together(pool, variant)
    for name, device in pool.devices.items():
        if _could_run(pool, device, variant, together):
            pool.grounds.able[variant] = name
            return True
    return False


def _could_run(
    pool: Pool, device: Device, variant: str, together: Mapping[_Gang | None, int]
) -> bool:
    if variant in device.slots_of:
        return True
    model = pool.models.get(variant)
    if model is None or not device.can_load(variant) or not _has_memory(device, model):
        return False
    return together.get(_gang(device), 1) >= model.devices_per_instance


def _has_memory(device: Device, model: ModelRegistered) -> bool:
    # A device that declares no memory is not held to any.
    return not device.offer.memory_mib or part_mib(model) <= device.offer.memory_mib


def _together(pool: Pool, variant: str) -> Mapping[_Gang | None, int]:
    """How many devices could be taken together; nothing where one instance takes only one."""
    model = pool.models.get(variant)
    if model is None or model.devices_per_instance == 1:
        return _ALONE
    gangs = Counter(map(_gang, pool.devices.values()))
    del gangs[None]
    return gangs


def _gang(device: Device) -> _Gang | None:
    """What the devices have in common that one instance could take; None: it is taken alone."""
    return device.engine if device.offer.mode is DeviceMode.DEDICATED else None
