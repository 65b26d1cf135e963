"""How far a task in parts is, in words."""

from collections.abc import Sequence
from math import ceil

from pointsman.policy.complexity import asked_tokens, tokens_of, work_of
from pointsman.scheduler.domain.parts.results import PartResults
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.rounds.variants import serving_devices
from pointsman.scheduler.domain.tasks import OpenTask
from pointsman.scheduler.domain.why.words import span


def parts_left(pool: Pool, task: OpenTask, parts: PartResults) -> str:
    """The parts that have not ended, and how long they should take if nothing else comes first."""
    left = [*pool.parts.of(task)]
    running = sum(part.lease is not None for part in left)
    told = f"{len(parts.numbers) - len(parts.ended)} of {len(parts.numbers)} parts"
    if running:
        told += f", of which {running} run"
    return told + _estimate(pool, task.accepted.variants, left)


def _estimate(pool: Pool, variants: Sequence[str], left: Sequence[OpenTask]) -> str:
    """With the best variant that is loaded; a part that runs counts as a whole.

    Nothing where too few runs of such parts were measured.
    """
    for variant in variants if left else ():
        slots = _slots(pool, variant, left[0].tenant)
        if not slots:
            continue
        each_s = _run_s(pool, variant, left[0])
        if each_s is None:
            return ""
        return (
            f"; about {span(ceil(len(left) / slots) * each_s)} if nothing else comes first, at "
            f"{span(each_s)} for a run of such a part on {variant}, {slots} at a time"
        )
    return ""


def _slots(pool: Pool, variant: str, tenant: str) -> int:
    """How many parts may run at the same time."""
    slots = sum(
        min(device.slots_of[variant], device.offer.slots)
        for device in serving_devices(pool)
        if variant in device.slots_of
    )
    limit = pool.steering.limits.get(variant)
    bounds = (None if limit is None else limit.running, pool.steering.running_limit(tenant))
    return min([slots, *(bound for bound in bounds if bound is not None)])


def _run_s(pool: Pool, variant: str, part: OpenTask) -> float | None:
    sizes, input_tokens = pool.grounds.sizes, tokens_of(part.payload.size)
    output_tokens = asked_tokens(part.accepted.parameters)
    if output_tokens is None:
        output_tokens = sizes.output_tokens(part.accepted.family, input_tokens) or 0
    return sizes.run_s(variant, work_of(input_tokens, output_tokens))
