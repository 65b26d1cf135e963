"""Which of a class's admissible variants to use, in order, and what turned that order."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from pointsman.contracts.events import Cause
from pointsman.contracts.levels import Level
from pointsman.scheduler.domain.admission.judging import is_small_first
from pointsman.scheduler.domain.devices import Device, DeviceStatus
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.tasks import ClassId

_SMALLER = frozenset({Level.DEGRADE, Level.SHED})


@dataclass(slots=True)
class VariantOrder:
    """Admissible variants, most preferred first; those with a refusal are not used now."""

    ranks: dict[str, int]
    """Place of each variant; equals in quality share one unless ratings part them."""
    refusals: dict[str, str] = field(default_factory=dict[str, str])
    causes: list[Cause] = field(default_factory=list[Cause])
    small_first: bool = False
    """Its tasks are simple: any larger variant will do as well as the first."""

    def usable(self) -> list[str]:
        """Variants without refusal, most preferred first."""
        return [variant for variant in self.ranks if variant not in self.refusals]


def serving_devices(pool: Pool) -> Iterator[Device]:
    """Ready devices whose canary does not answer wrongly."""
    for name, device in pool.devices.items():
        if device.status is DeviceStatus.READY and name not in pool.influences.canaries:
            yield device


def order_variants(pool: Pool, class_id: ClassId, serving: Sequence[str]) -> VariantOrder:
    """Ratings first, then failures, then the ladder.

    `serving` are the variants that serving devices have loaded. A caller that admits one variant
    only gets that one whatever else is known.
    """
    family, admissible = class_id
    order = _by_ratings(pool, class_id)
    order.small_first = is_small_first(pool.models, admissible)
    _pass_over_failing(pool, order, serving)
    _go_smaller(pool, family, order, serving)
    return order


def in_use(pool: Pool, family: str, serving: Sequence[str]) -> str:
    """What a task that admits the whole family gets now; `serving` must name one of its variants.

    Refusals always leave a serving variant.
    """
    variants = tuple(model.variant for model in pool.models.family(family))
    order = order_variants(pool, (family, variants), serving)
    return next(variant for variant in order.usable() if variant in serving)


def _by_ratings(pool: Pool, class_id: ClassId) -> VariantOrder:
    family, admissible = class_id
    preference = pool.influences.preferences.get(family)
    rated = preference.event.order if preference is not None else ()
    # Rated variants exchange their places among themselves; the others keep theirs.
    places = iter([variant for variant in rated if variant in admissible])
    order = tuple(next(places) if variant in rated else variant for variant in admissible)
    if preference is None or order == admissible:
        return VariantOrder(_by_quality(pool, admissible))
    up, down = next((a, b) for a, b in zip(order, admissible, strict=True) if a != b)
    detail = f"ratings put {up} before {down}: {preference.event.reason}"
    ranks = {variant: rank for rank, variant in enumerate(order)}
    return VariantOrder(ranks, causes=[preference.cause(detail)])


def _by_quality(pool: Pool, admissible: Sequence[str]) -> dict[str, int]:
    ranks: dict[str, int] = {}
    rank, quality = 0, None
    for place, variant in enumerate(admissible):
        if pool.models[variant].quality != quality:
            rank, quality = place, pool.models[variant].quality
        ranks[variant] = rank
    return ranks


def _pass_over_failing(pool: Pool, order: VariantOrder, serving: Sequence[str]) -> None:
    for variant in order.ranks:
        standing = pool.influences.fallbacks.get(variant)
        if standing is None:
            continue
        viable = standing.event.strategy.fallbacks
        if any(v in viable and v in serving for v in order.usable() if v != variant):
            code, failures = standing.event.code, standing.event.failures
            detail = f"{variant} is passed over after {failures} failure(s) in a row ({code})"
            order.refusals[variant] = detail
            order.causes.append(standing.cause(detail))


def _go_smaller(pool: Pool, family: str, order: VariantOrder, serving: Sequence[str]) -> None:
    level = pool.influences.level
    cause = pool.influences.level_cause()
    usable = order.usable()
    served = [variant for variant in usable if variant in serving]
    if cause is None or not usable[1:] or not served:
        return
    # From `conserve` on nothing is waited for, so that the level counts wherever there is a choice.
    order.causes.append(cause)
    if level not in _SMALLER:
        return
    quality = {variant: pool.models[variant].quality for variant in usable}
    best, threshold = served[0], pool.influences.threshold_of(family)
    kept = [v for v in served if threshold <= quality[v] < quality[best]]
    largest = max(quality[variant] for variant in served)
    if not kept and any(threshold <= quality[v] < largest for v in served):
        # Ratings prefer a small one already; falling back to the largest would be a step up.
        kept = [v for v in usable if quality[v] < largest]
    for variant in usable if kept else ():
        if variant not in kept:
            order.refusals[variant] = f"the ladder stands at {level}: {kept[0]} is next"
