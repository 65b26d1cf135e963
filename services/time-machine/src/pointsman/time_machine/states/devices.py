"""The devices of a pool and what ran on them."""

from typing import TypedDict

from pointsman.scheduler.domain.devices import Device
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.tasks import LiveLease, OpenTask


class Running(TypedDict):
    """An attempt that takes a slot."""

    task: str
    attempt: int
    variant: str
    since_s: float
    """How long ago it was granted."""
    ends_in_s: float
    """When its engine gives up at the latest."""
    batch: str
    suspect: bool
    """Its lease has ended, the engine may still be working on it."""


class DeviceState(TypedDict):
    """One device."""

    device: str
    device_class: str
    mode: str
    executor: str
    state: str
    reason: str
    draining: str
    """By whom and why; empty: nobody drains it."""
    slots: int
    occupied: int
    resident: dict[str, int]
    """Slots by variant that is loaded."""
    changing: str
    """The load or unload under way."""
    generation: int
    credit_s: float
    """What it could spend on displacing loads."""
    idle_s: float | None
    """Since it last had something to do; None: it has, or never had."""
    runs: list[Running]


class Lease(TypedDict):
    """Who runs which attempt."""

    task: str
    attempt: int
    executor: str
    incarnation: str
    device: str
    variant: str
    granted_s_ago: float
    run_timeout_s: float


def devices_of(pool: Pool, at: float) -> list[DeviceState]:
    """Every device that was ever attached."""
    return [_device(pool, device, at) for device in pool.devices.values()]


def leases_of(pool: Pool, at: float) -> list[Lease]:
    """Live leases, the oldest first."""
    held = [_lease(task, lease, at) for task in pool.tasks.values() for lease in task.leases]
    return sorted(held, key=lambda lease: -lease["granted_s_ago"])


def _device(pool: Pool, device: Device, at: float) -> DeviceState:
    offer, change = device.offer, device.changing
    mean_swap_s, _ = pool.models.swap_s
    changing = ""
    if change is not None:
        what = f"loads {change.load}" if change.load else f"unloads {', '.join(change.unload)}"
        changing = f"{what} since {at - change.at:.3f} s"
    return {
        "device": device.name,
        "device_class": offer.device_class,
        "mode": offer.mode.value,
        "executor": offer.executor,
        "state": device.status.value,
        "reason": device.reason or pool.devices.taken_with(device),
        "draining": pool.steering.draining(device.name) or "",
        "slots": offer.slots,
        "occupied": device.occupied,
        "resident": dict(device.slots_of),
        "changing": changing,
        "generation": device.generation,
        "credit_s": round(device.credit.left_s(mean_swap_s), 6),
        "idle_s": round(at - device.used_at, 6) if device.idle and device.used_at else None,
        "runs": [*_runs(device, at, suspect=False), *_runs(device, at, suspect=True)],
    }


def _runs(device: Device, at: float, *, suspect: bool) -> list[Running]:
    slots = device.suspect if suspect else device.held
    return [
        {
            "task": str(task),
            "attempt": attempt,
            "variant": slot.variant,
            "since_s": round(at - slot.since, 6),
            "ends_in_s": round(slot.free_at - at, 6),
            "batch": slot.batch,
            "suspect": suspect,
        }
        for (task, attempt), slot in slots.items()
    ]


def _lease(task: OpenTask, lease: LiveLease, at: float) -> Lease:
    return {
        "task": str(task.id),
        "attempt": lease.attempt,
        "executor": lease.executor,
        "incarnation": lease.incarnation,
        "device": lease.device,
        "variant": lease.variant,
        "granted_s_ago": round(at - lease.granted_at, 6),
        "run_timeout_s": lease.run_timeout_s,
    }
