"""Inputs too long for one call: which variants take them as a whole, or how they are cut."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from types import MappingProxyType
from typing import Final

from pointsman.contracts.commands import Rejected, SubmitTask
from pointsman.contracts.message import Degradation, PriorityClass
from pointsman.contracts.parts import MAX_PARTS, SplitPlan
from pointsman.policy.chunking import NOT_DIVISIBLE, least_limit
from pointsman.scheduler.domain.registered import Models
from pointsman.scheduler.domain.tasks import OpenTask

INPUT_TOO_LARGE: Final = "input_too_large"

LEAST_BYTES: Final = 4 * 1024
"""Where so little was too much for the memory of a device, less of it would be as well."""

QUARTERS: Final = 4
"""Parts of an input that was too much for the memory of a device: halves may be again."""

# Who waits for an answer is asked before it may be one of several parts.
CLASS_DEFAULTS: Final[Mapping[PriorityClass, Degradation]] = MappingProxyType(
    {
        PriorityClass.INTERACTIVE: Degradation.SMALLER_MODEL,
        PriorityClass.STANDARD: Degradation.SMALLER_MODEL,
        PriorityClass.BATCH: Degradation.SPLIT,
        PriorityClass.BACKGROUND: Degradation.SPLIT,
    }
)
"""What a class allows whose caller says nothing."""


@dataclass(frozen=True, slots=True)
class Fitting:
    """Variants that take an input, best first; with `split`, they take its parts."""

    variants: tuple[str, ...]
    split: SplitPlan | None = None


def allowed(task: SubmitTask) -> Degradation:
    """What a caller allows, or his class."""
    return task.degradation or CLASS_DEFAULTS[task.priority_class]


def fit_input(
    models: Models, task: SubmitTask, variants: Sequence[str], size: int
) -> Fitting | Rejected:
    """The admissible variants that an input fits; only if it fits none is it cut."""
    limits = {variant: models[variant].max_input_bytes for variant in variants}
    whole = tuple(variant for variant, limit in limits.items() if not limit or size <= limit)
    if whole:
        return Fitting(whole)
    largest, merge = max(limits.values()), models[variants[0]].merge
    if allowed(task) is not Degradation.SPLIT:
        return _too_large(
            task,
            f"the input has {size} bytes, the models of family {task.family!r} take {largest}",
            _way_out(models, task, variants, size),
        )
    if merge is None:
        return Rejected(
            code=NOT_DIVISIBLE,
            message=f"the input has {size} bytes, a call of family {task.family!r} takes "
            f"{largest}, and the registry names no rule to merge results of parts",
            next="send a shorter input, or several tasks",
        )
    limit = least_limit(size, list(limits.values()))
    if limit is None:
        return _too_large(
            task,
            f"the input has {size} bytes, {MAX_PARTS} parts of {largest} are taken at the most",
            "send it as several tasks",
        )
    plan = SplitPlan(
        max_bytes=limit,
        merge=merge,
        partial=task.degradation is Degradation.SPLIT,
        reason=f"its {size} bytes are more than the {largest} that a call takes",
    )
    return Fitting(tuple(variant for variant in variants if limits[variant] >= limit), plan)


def fits(models: Models, task: OpenTask, size: int) -> bool:
    """Whether every admissible variant takes so many bytes, or they are cut anyway."""
    known = (models.get(variant) for variant in task.accepted.variants)
    limits = [model.max_input_bytes for model in known if model is not None]
    return task.plan is not None or all(not limit or size <= limit for limit in limits)


def plan_for_less_memory(models: Models, task: OpenTask) -> SplitPlan | None:
    """How a task is cut for whose whole input no variant had memory; None if it must not be."""
    accepted, size = task.accepted, task.payload.size
    model = models.get(accepted.variants[0])
    if task.plan is not None or accepted.parent or accepted.degradation is not Degradation.SPLIT:
        return None
    if model is None or model.merge is None or size < LEAST_BYTES:
        return None
    said = CLASS_DEFAULTS[accepted.priority_class] is not Degradation.SPLIT
    return SplitPlan(
        max_bytes=ceil(size / QUARTERS),
        merge=model.merge,
        # Whether the caller said so himself is not known where his class says the same.
        partial=said,
        reason=f"no variant had memory for its {size} bytes as a whole",
    )


def _way_out(models: Models, task: SubmitTask, variants: Sequence[str], size: int) -> str:
    """What a sender can do about an input that none of the variants takes as a whole."""
    ways = [
        f"ask for {model.variant}, which takes it"
        for model in models.family(task.family)
        if model.variant not in variants
        and model.quality >= task.min_quality
        and (not model.max_input_bytes or size <= model.max_input_bytes)
    ][:1]
    if models[variants[0]].merge is not None:
        ways.append("allow it to be cut (`--allow-degradation split`)")
    return ", ".join([*ways, "send a shorter input, or several tasks"])


def _too_large(task: SubmitTask, message: str, way_out: str) -> Rejected:
    pinned = f" (only {task.model} was asked for)" if task.model is not None else ""
    return Rejected(code=INPUT_TOO_LARGE, message=message + pinned, next=way_out)
