"""Rows about devices, models, tenants, pauses and schedules, from what is in memory."""

from collections.abc import Iterable
from math import isfinite

from pointsman.contracts.events import ModelRegistered, ScopeKind
from pointsman.contracts.queries import DeviceRow, ModelRow
from pointsman.contracts.schedules import ListSchedules, ScheduleRow
from pointsman.contracts.steering import PauseRow, TenantRow
from pointsman.scheduler.domain.devices import Device, DeviceStatus
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.running import Running
from pointsman.scheduler.domain.schedules.timetable import Schedule
from pointsman.scheduler.domain.steering.steered_tasks import said

DRAINING = "draining"
DRAINED = "drained"


def model_rows(pool: Pool) -> list[ModelRow]:
    """Registered variants by family and quality."""
    running = Running(pool.devices)
    ordered = sorted(pool.models.values(), key=lambda model: (model.family, -model.quality))
    return [_model(pool, model, running) for model in ordered]


def device_rows(pool: Pool) -> list[DeviceRow]:
    """Devices of the pool."""
    return [_device(pool, device) for device in pool.devices.values()]


def schedule_rows(pool: Pool, asked: ListSchedules) -> list[ScheduleRow]:
    """Schedules by tenant and name."""
    return [_schedule(schedule) for schedule in pool.timetable.of(asked.tenant)]


def tenant_rows(pool: Pool) -> list[TenantRow]:
    """Tenants with settings, with tasks, or with a count of what they had."""
    steering, running = pool.steering, Running(pool.devices)
    paused = (name for kind, name in steering.pauses if kind is ScopeKind.TENANT)
    waiting = (tenant for tenant, count in pool.queued_of.items() if count)
    counted = (name for name, device_s in pool.waiting.counters.totals[0] if device_s)
    names = {*steering.tenants, *paused, *waiting, *running.of_tenant, *counted}
    return [
        TenantRow(
            tenant=name,
            weight=steering.weight(name),
            running=running.of_tenant[name],
            queued=pool.queued_of[name],
            running_limit=steering.running_limit(name),
            queued_limit=steering.queued_limit(name),
            device_s=round(pool.waiting.counters.of(name), 6),
            paused=steering.paused(ScopeKind.TENANT, name) or "",
        )
        for name in sorted(names)
    ]


def pause_rows(pool: Pool) -> list[PauseRow]:
    """Everything that is paused, oldest first."""
    return [
        PauseRow(
            kind=kind,
            name=name,
            by=standing.event.by,
            reason=standing.event.reason,
            at=standing.event.at,
            position=standing.position,
        )
        for (kind, name), standing in pool.steering.pauses.items()
    ]


def _schedule(schedule: Schedule) -> ScheduleRow:
    terms = schedule.terms
    template, warm_up = terms.template, terms.warm_up
    return ScheduleRow(
        name=terms.name,
        tenant=terms.tenant,
        cron=terms.cron,
        timezone=terms.timezone,
        missed_times=terms.missed,
        set_at=terms.at,
        set_by=terms.by,
        next_due=next_due if isfinite(next_due := schedule.next_due()) else None,
        family="" if template is None else template.family,
        priority_class="" if template is None else template.priority_class,
        warm_up="" if warm_up is None else warm_up.variant,
        warm_up_device="" if warm_up is None else warm_up.device,
        last_due=schedule.last_due,
        last_task=schedule.last_task,
        fired=schedule.fired,
        missed=schedule.missed,
        last_missed=schedule.last_missed,
        paused="" if schedule.paused is None else said(schedule.paused),
    )


def _model(pool: Pool, model: ModelRegistered, running: Running) -> ModelRow:
    times = pool.models.run_times_of(model.variant)
    loaded = {
        name: device.slots_of[model.variant]
        for name, device in pool.devices.items()
        if model.variant in device.slots_of and device.status is not DeviceStatus.DETACHED
    }
    limit = pool.steering.limits.get(model.variant)
    return ModelRow(
        variant=model.variant,
        family=model.family,
        quality=model.quality,
        memory_mib=model.memory_mib,
        load_s=model.load_s,
        slots=sum(loaded.values()),
        devices=tuple(loaded),
        runs=times.runs,
        p50_s=times.p50_s if times.measured else None,
        p99_s=times.p99_s if times.measured else None,
        running=running.of_variant[model.variant],
        running_limit=None if limit is None else limit.running,
        paused=_model_paused(pool, model) or "",
        breakers=_breakers(pool, pool.devices, (model.variant,)),
        asked=tuple(ask.words for ask in pool.steering.asks.of(model.variant)),
    )


def _model_paused(pool: Pool, model: ModelRegistered) -> str | None:
    steering = pool.steering
    return (
        steering.paused(ScopeKind.MODEL, model.variant)
        or steering.paused(ScopeKind.FAMILY, model.family)
        or steering.pool_paused()
    )


def _device(pool: Pool, device: Device) -> DeviceRow:
    state, wrong = str(device.status), pool.influences.wrong_canary(device.name)
    reason = device.reason or wrong or pool.devices.taken_with(device)
    drained_by = pool.steering.draining(device.name)
    if drained_by is not None and device.status is DeviceStatus.READY:
        state = DRAINED if device.idle else DRAINING
        reason = drained_by
    return DeviceRow(
        device=device.name,
        device_class=device.offer.device_class,
        endpoint=device.offer.endpoint,
        executor=device.offer.executor,
        state=state,
        reason=reason,
        slots=device.offer.slots,
        in_flight=len(device.held),
        suspect=len(device.suspect),
        variants=tuple(device.slots_of),
        mode=device.offer.mode,
        breakers=_breakers(pool, (device.name,), device.slots_of),
        changing=_change(device),
    )


def _breakers(pool: Pool, devices: Iterable[str], variants: Iterable[str]) -> tuple[str, ...]:
    words = (pool.breakers.words(name, each) for name in devices for each in tuple(variants))
    return tuple(said for said in words if said is not None)


def _change(device: Device) -> str:
    change = device.changing
    if change is None:
        return ""
    return f"loads {change.load}" if change.load else f"unloads {', '.join(change.unload)}"
