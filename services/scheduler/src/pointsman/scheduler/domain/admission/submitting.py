"""Admission: what is accepted, with which variants and which key."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import msgspec

from pointsman.contracts.commands import Rejected, SubmitTask
from pointsman.contracts.events import Cause, ModelRegistered, TaskAccepted
from pointsman.contracts.message import BlobRef, Degradation
from pointsman.contracts.refusals import NOT_LOADABLE, QUEUE_FULL, SHED, TENANT_QUEUE_FULL
from pointsman.contracts.routing import Route
from pointsman.policy.order import virtual_deadline
from pointsman.scheduler.domain.admission.able_devices import refuse_unable
from pointsman.scheduler.domain.admission.dependencies import (
    DEPENDENCY_FAILED,
    NOTHING_FOUND,
    UNKNOWN_DEPENDENCY,
    PastTask,
)
from pointsman.scheduler.domain.admission.judging import judge
from pointsman.scheduler.domain.admission.oversize import Fitting, allowed, fit_input
from pointsman.scheduler.domain.admission.routes import FAMILY_UNCLEAR, NO_DOMAINS, Seen, find_route
from pointsman.scheduler.domain.admission.starting import arrival, awaited_by, refuse_deadline
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.registered import unknown_family
from pointsman.scheduler.domain.steering.tenants import queue_full

MAX_QUEUED: Final = 1_000_000
"""A bound on memory; what a pool can serve in time is bounded by deadlines, not by this."""

OF_THE_MOMENT: Final = frozenset(
    {SHED, QUEUE_FULL, TENANT_QUEUE_FULL, NO_DOMAINS, FAMILY_UNCLEAR, NOT_LOADABLE}
)
"""Refusals that a task may meet which was accepted under the same id a moment before."""

MAY_COME_LATER: Final = OF_THE_MOMENT | {DEPENDENCY_FAILED, UNKNOWN_DEPENDENCY}
"""The same, and what has become of tasks that it depends on since then."""


def decide_submit(
    pool: Pool,
    task: SubmitTask,
    payload: BlobRef,
    *,
    at: float,
    seen: Seen | None = None,
    past: Mapping[UUID, PastTask] = NOTHING_FOUND,
) -> TaskAccepted | Rejected:
    """Accept a task or say what its sender must change.

    `seen` tells its domain if it needs one, `past` what the log knows of tasks that it depends on.
    """
    admitted = _admit(pool, task, payload, at=at, seen=seen, past=past)
    if isinstance(admitted, Rejected):
        return admitted
    task, variants = admitted.task, admitted.fitting.variants
    domain = "" if admitted.route is None else admitted.route.chosen.domain
    judged = judge(pool, task, payload, variants, at=at, domain=domain)
    accepted = _accepted(pool, admitted, judged.variants, at=at)
    return msgspec.structs.replace(
        accepted, band=judged.band, complexity=judged.score, judged=judged.judgement
    )


def refuse_submit(
    pool: Pool,
    task: SubmitTask,
    payload: BlobRef,
    *,
    at: float,
    seen: Seen | None = None,
    past: Mapping[UUID, PastTask] = NOTHING_FOUND,
) -> Rejected | None:
    """What a task is refused with at the door: what `decide_submit` would say, and cheaper.

    And that no device could ever run it, or that its deadline cannot be meant, which are no
    questions once a task was accepted.
    """
    far = refuse_deadline(task, at=at)
    if far is not None:
        return far
    admitted = _admit(pool, task, payload, at=at, seen=seen, past=past)
    if isinstance(admitted, Rejected):
        return admitted
    return refuse_unable(pool, admitted.task, admitted.fitting.variants)


@dataclass(frozen=True, slots=True)
class _Admitted:
    task: SubmitTask
    """With the family that was found."""
    payload: BlobRef
    fitting: Fitting
    route: Route | None
    awaits: tuple[str, ...]


def _admit(
    pool: Pool,
    task: SubmitTask,
    payload: BlobRef,
    *,
    at: float,
    seen: Seen | None,
    past: Mapping[UUID, PastTask],
) -> _Admitted | Rejected:
    refused = _shed(pool, task, at) or queue_full(pool, task.tenant)
    awaits = refused or awaited_by(pool, task, past, at=at)
    if isinstance(awaits, Rejected):
        return awaits
    route = find_route(pool, task, seen)
    if isinstance(route, Rejected):
        return route
    if route is not None:
        task = msgspec.structs.replace(task, family=route.chosen.family)
    admissible = _admissible(pool, task)
    if isinstance(admissible, Rejected):
        return admissible
    fitting = fit_input(pool.models, task, admissible, payload.size)
    if isinstance(fitting, Rejected):
        return fitting
    return _Admitted(task, payload, fitting, route, awaits)


def _accepted(
    pool: Pool, admitted: _Admitted, variants: tuple[str, ...], *, at: float
) -> TaskAccepted:
    task, boost_s = admitted.task, _boost_s(pool, admitted.task)
    return TaskAccepted(
        at=at,
        applied_to=pool.applied_to,
        pool=pool.name,
        tenant=task.tenant,
        family=task.family,
        priority_class=task.priority_class,
        key=_key(pool, task, variants[0], at, boost_s),
        variants=variants,
        payload=admitted.payload,
        message_id=task.command_id,
        source=task.source,
        deadline=task.deadline,
        boost_s=pool.policy.allowed_boost(task.priority_class, boost_s),
        degradation=allowed(task),
        min_quality=task.min_quality,
        max_attempts=task.max_attempts,
        delivery=task.delivery,
        parameters=task.parameters,
        traceparent=task.traceparent,
        correlation_id=task.correlation_id,
        causation_id=task.causation_id,
        project=task.project,
        conversation=task.conversation,
        context_tokens=task.context_tokens,
        cache=task.cache,
        causes=_boost_causes(pool, task),
        not_before=task.not_before,
        depends_on=tuple(str(each) for each in dict.fromkeys(task.depends_on)),
        bulk=task.bulk or "",
        schedule=task.schedule or "",
        split=admitted.fitting.split,
        route=admitted.route,
        awaits=admitted.awaits,
        pool_choice=task.pool_choice,
    )


def _boost_s(pool: Pool, task: SubmitTask) -> float:
    return task.boost_s + pool.influences.boost_of(task.priority_class)


def _boost_causes(pool: Pool, task: SubmitTask) -> tuple[Cause, ...]:
    cause = pool.influences.boost_cause(task.priority_class)
    return () if cause is None else (cause,)


def _shed(pool: Pool, task: SubmitTask, at: float) -> Rejected | None:
    cause = pool.influences.refused_class(task.priority_class, at)
    if cause is None:
        return None
    return Rejected(
        code=SHED,
        message=f"pool {pool.name} takes no {task.priority_class} work now: {cause.detail} "
        f"(event {cause.position})",
        next="send it again later, or as a higher class; `pointsman degradation show` tells more",
    )


def _key(pool: Pool, task: SubmitTask, best: str, at: float, boost_s: float) -> float:
    latest_start = None
    if task.deadline is not None:
        latest_start = task.deadline - pool.models.run_times_of(best).p90_s
    return virtual_deadline(
        task.priority_class,
        arrival=arrival(task, at=at),
        boost_s=boost_s,
        latest_start=latest_start,
        windows=pool.policy.windows,
        max_boost_s=pool.policy.parameters.max_boost_s,
    )


def _admissible(pool: Pool, task: SubmitTask) -> tuple[str, ...] | Rejected:
    if pool.queued >= MAX_QUEUED:
        return Rejected(
            code=QUEUE_FULL,
            message=f"{pool.queued} tasks are waiting in pool {pool.name}",
            next="send it again when the queue is shorter",
        )
    variants = pool.models.family(task.family)
    if not variants:
        return unknown_family(task.family)
    if task.model is None:
        return _good_enough(variants, task)
    pinned = [model for model in variants if model.variant == task.model]
    if not pinned:
        return Rejected(
            code="unknown_model",
            message=f"family {task.family!r} has no variant {task.model!r}",
            next="use a variant of `pointsman model ls`, or leave the model out",
        )
    return _good_enough(pinned, task)


def _good_enough(
    variants: Sequence[ModelRegistered], task: SubmitTask
) -> tuple[str, ...] | Rejected:
    best = variants[0]
    if task.degradation is Degradation.NONE:
        variants = variants[:1]
    good = tuple(model.variant for model in variants if model.quality >= task.min_quality)
    return good or Rejected(
        code="quality_not_available",
        message=f"the best variant, {best.variant}, has quality {best.quality:.4g}, "
        f"at least {task.min_quality:.15g} was asked for",
        next="ask for less quality",
    )
