"""Which quality tier and device tier suit a task."""

from collections.abc import Sequence

from pointsman.contracts.events.routing import DeviceTier, QualityTier


def suiting_tier(
    tiers: Sequence[QualityTier],
    devices: Sequence[DeviceTier],
    wanted: Sequence[str],
    *,
    memory_mib: float,
    output_tokens: int,
    time_left_s: float | None,
) -> QualityTier | None:
    """The highest of the `wanted` tiers, unless its device is too small or too slow.

    Too small for the model's memory: the next larger one. Too slow to write the output before the
    deadline: the best that is quick enough, if one of those that are large enough is. None if no
    device is large enough.
    """
    order = {tier.name: place for place, tier in enumerate(tiers)}
    device_of = {device.name: device for device in devices}
    large = [tier for tier in tiers if device_of[tier.device].memory_mib >= memory_mib]
    if not large:
        return None
    least = max((order[name] for name in wanted), default=0)
    best = next((tier for tier in large if order[tier.name] >= least), large[-1])
    if time_left_s is None:
        return best
    quick = [
        tier
        for tier in large
        if order[tier.name] <= order[best.name]
        and output_tokens <= time_left_s * device_of[tier.device].tokens_per_s
    ]
    return quick[-1] if quick else best
