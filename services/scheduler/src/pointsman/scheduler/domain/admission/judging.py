"""How complex a task is, what it needs, and which of its variants come first because of that."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import msgspec

from pointsman.contracts.commands import SubmitTask
from pointsman.contracts.events import FamilyRule
from pointsman.contracts.message import BlobRef, Degradation
from pointsman.contracts.routing import Judgement
from pointsman.policy.complexity import (
    DEFAULT_SCALE,
    Band,
    Scale,
    asked_tokens,
    band_of,
    score_of,
    tokens_of,
    work_of,
)
from pointsman.policy.task_sizes import TaskSizes
from pointsman.policy.tiers import suiting_tier
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.registered import Models

_CPU: Final = "cpu"
_HOUR_S: Final = 3600.0
_PLACE_OF: Final = {band: place for place, band in enumerate(Band)}


@dataclass(frozen=True, slots=True)
class Judged:
    """A task's band, and its variants in the order that follows."""

    band: Band
    score: float
    variants: tuple[str, ...]
    judgement: Judgement


@dataclass(frozen=True, slots=True)
class _Size:
    input_tokens: int
    output_tokens: int
    output_from: str
    scale: Scale

    @property
    def work(self) -> int:
        return work_of(self.input_tokens, self.output_tokens)


def judge(
    pool: Pool,
    task: SubmitTask,
    payload: BlobRef,
    variants: tuple[str, ...],
    *,
    at: float,
    domain: str = "",
) -> Judged:
    """Judge a task of a known family; `domain` is where the router put it."""
    rule = pool.grounds.rule(task.family)
    size = _size(pool.grounds.sizes, rule, task, payload)
    score = score_of(size.work, size.scale)
    band = band_of(score)
    order = variants
    if rule is not None and rule.small_first and band is Band.SIMPLE and _leaves_choice(task):
        least = max(rule.least_quality, pool.influences.threshold_of(task.family))
        order = small_first(pool.models, variants, least)
    judgement = _judgement(pool, task, size, order[0], small_first=order != variants)
    wanted = [] if rule is None else [rule.tiers[_PLACE_OF[band]]]
    return Judged(band, score, order, _tiered(pool, judgement, wanted, domain, task.deadline, at))


def small_first(models: Models, variants: tuple[str, ...], least: float) -> tuple[str, ...]:
    """Those of at least this quality by their registered run time, then the others as they were."""
    good = [variant for variant in variants if models[variant].quality >= least]
    quick = sorted(good, key=lambda v: (models[v].service_s, models[v].memory_mib, v))
    return (*quick, *(variant for variant in variants if variant not in good))


def is_small_first(models: Models, variants: Sequence[str]) -> bool:
    """Whether variants do not stand in the order of their quality."""
    return any(models[a].quality < models[b].quality for a, b in pairwise(variants))


def _leaves_choice(task: SubmitTask) -> bool:
    return task.model is None and not task.min_quality and task.degradation is not Degradation.NONE


def _size(sizes: TaskSizes, rule: FamilyRule | None, task: SubmitTask, payload: BlobRef) -> _Size:
    input_tokens = tokens_of(payload.size)
    if rule is not None:
        scale = Scale(rule.simple_below, rule.complex_from, "declared")
    else:
        scale = sizes.scale(task.family) or DEFAULT_SCALE
    if (asked := asked_tokens(task.parameters)) is not None:
        return _Size(input_tokens, asked, "asked", scale)
    if (learned := sizes.output_tokens(task.family, input_tokens)) is not None:
        return _Size(input_tokens, learned, "learned", scale)
    if rule is not None:
        return _Size(input_tokens, rule.output_tokens, "declared", scale)
    return _Size(input_tokens, 0, "unknown", scale)


def _judgement(
    pool: Pool, task: SubmitTask, size: _Size, variant: str, *, small_first: bool
) -> Judgement:
    sizes, times = pool.grounds.sizes, pool.models.run_times_of(variant)
    run_s, run_from = sizes.run_s(variant, size.work), "size"
    if run_s is None:
        run_s, run_from = times.p50_s, "variant" if times.measured else "registry"
    off, power_w = sizes.off(task.family), _power_w(pool, variant)
    return Judgement(
        input_tokens=size.input_tokens,
        output_tokens=size.output_tokens,
        output_from=size.output_from,
        simple_below=round(size.scale.simple_below, 1),
        complex_from=round(size.scale.complex_from, 1),
        scale_from=size.scale.read_from,
        variant=variant,
        run_s=round(run_s, 6),
        run_from=run_from,
        memory_mib=pool.models[variant].memory_mib,
        runs=sizes.runs(task.family),
        off=None if off is None else round(off, 3),
        joules=None if power_w is None else round(power_w * run_s, 3),
        small_first=small_first,
    )


def _power_w(pool: Pool, variant: str) -> float | None:
    """Of the first device that has the variant and reports its power, with all that runs there."""
    for name, device in pool.devices.items():
        sample = pool.influences.samples.get(name)
        if variant in device.slots_of and sample is not None and sample.power_w is not None:
            return sample.power_w
    return None


def _tiered(
    pool: Pool,
    judgement: Judgement,
    wanted: list[str],
    domain: str,
    deadline: float | None,
    at: float,
) -> Judgement:
    rules = pool.grounds.rules
    if rules is None or not wanted:
        return judgement
    wanted += [
        each.least_tier for each in rules.domains if each.domain == domain and each.least_tier
    ]
    tier = suiting_tier(
        rules.tiers,
        rules.devices,
        wanted,
        memory_mib=judgement.memory_mib,
        output_tokens=judgement.output_tokens,
        time_left_s=None if deadline is None else deadline - at,
    )
    if tier is None:
        return judgement
    # What was measured on anything but a CPU is taken as it is.
    devices = pool.devices.values()
    ran_on = {d.offer.device_class for d in devices if judgement.variant in d.slots_of}
    tier_s = judgement.run_s / (tier.faster_than_cpu if ran_on == {_CPU} else 1.0)
    return msgspec.structs.replace(
        judgement,
        tier=tier.name,
        device=tier.device,
        tier_s=round(tier_s, 6),
        cost_usd=round(tier_s * tier.price_per_hour_usd / _HOUR_S, 9),
    )
