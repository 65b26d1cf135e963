"""Builders of what other services record and a scheduler's decisions stand on."""

from typing import Final
from uuid import UUID

from pointsman.contracts import events
from pointsman.contracts.commands import PrepareTask
from pointsman.contracts.events import Decision
from pointsman.contracts.levels import LEVELS, Level
from pointsman.contracts.message import BlobRef, PriorityClass
from tests.support.scheduling import NOON, RESULT

CONTEXT: Final = BlobRef(digest="ef" * 32, size=900, media_type="text/plain", shard="context")
REASON: Final = "the predicted wait of summarize is 2.4 s"


def level_changed(level: Level, *, at: float = NOON, pool: str = "main") -> events.LevelChanged:
    return events.LevelChanged(
        at=at,
        applied_to=0,
        pool=pool,
        before=LEVELS[max(0, LEVELS.index(level) - 1)],
        level=level,
        trigger="pressure_high",
        reason=REASON,
        inputs=events.Pressure(predicted_wait_s=2.4, family="summarize"),
    )


def fallback_started(
    variant: str, *viable: str, family: str = "summarize", pool: str = "main"
) -> events.FallbackStarted:
    return events.FallbackStarted(
        at=NOON,
        applied_to=0,
        pool=pool,
        family=family,
        variant=variant,
        fallback=viable[0] if viable else "",
        strategy=events.Strategy(
            resource_target_mib=64.0, quality_threshold=0.0, fallbacks=tuple(viable)
        ),
        code="unavailable",
        failures=3,
        tasks=(),
        until=NOON + 30,
    )


def fallback_ended(variant: str, *, pool: str = "main") -> events.FallbackEnded:
    return events.FallbackEnded(
        at=NOON, applied_to=0, pool=pool, variant=variant, reason="its time is over"
    )


def preferred(*order: str, family: str = "summarize") -> events.PreferenceChanged:
    return events.PreferenceChanged(
        at=NOON,
        applied_to=0,
        family=family,
        before=(),
        order=order,
        measured=(),
        reason="their intervals have parted",
    )


def threshold_moved(threshold: float, *, family: str = "summarize") -> events.QualityThresholdMoved:
    return events.QualityThresholdMoved(
        at=NOON,
        applied_to=0,
        family=family,
        before=0.0,
        threshold=threshold,
        average=threshold,
        ratings=40,
    )


def boosted(boost_s: float, *classes: PriorityClass, pool: str = "main") -> events.PriorityBoosted:
    return events.PriorityBoosted(
        at=NOON,
        applied_to=0,
        pool=pool,
        boost_s=boost_s,
        classes=tuple(classes),
        completion_rate=0.7,
        threshold=0.8,
    )


def sampled(
    device: str, sample: str, *, temperature_c: float | None = None
) -> events.DeviceSampled:
    return events.DeviceSampled(
        at=NOON,
        applied_to=0,
        device=device,
        sample=sample,
        source="nvml",
        state="measured",
        temperature_c=temperature_c,
    )


def canary(device: str, *, healthy: bool) -> events.CanaryChanged:
    return events.CanaryChanged(
        at=NOON,
        applied_to=0,
        device=device,
        variant="fast",
        healthy=healthy,
        detail="other bytes came",
    )


def with_context(task: UUID) -> PrepareTask:
    return PrepareTask(
        command_id=f"prepare:{task}",
        task=task,
        payload=CONTEXT,
        assembly="a-1",
        kept=3,
        dropped=2,
        tokens=420,
    )


def without_context(task: UUID, note: str = "no earlier turn was kept") -> PrepareTask:
    return PrepareTask(command_id=f"prepare:{task}", task=task, note=note)


def with_result(task: UUID, *, of: str = "earlier", variant: str = "fast") -> PrepareTask:
    return PrepareTask(
        command_id=f"prepare:{task}",
        task=task,
        cached=RESULT,
        cached_from=of,
        cached_variant=variant,
    )


OTHERS: Final = UUID(int=2**64)
"""Stream of what other services record."""

INFLUENCES: Final[tuple[Decision, ...]] = (
    *(level_changed(level) for level in LEVELS),
    fallback_started("best", "fast"),
    fallback_started("fast", "best"),
    fallback_started("best"),
    fallback_ended("best"),
    fallback_ended("fast"),
    preferred("fast", "best"),
    preferred(),
    threshold_moved(0.4),
    threshold_moved(0.6),
    boosted(4.0, *PriorityClass),
    boosted(0.0),
    canary("gpu-0", healthy=False),
    canary("gpu-0", healthy=True),
    sampled("cpu-0", "s-1", temperature_c=45.0),
    sampled("gpu-0", "s-2", temperature_c=85.0),
)
