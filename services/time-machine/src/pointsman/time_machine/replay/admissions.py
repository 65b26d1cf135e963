"""Admissions decided again: which variants were admissible, and when the task is due.

What the sender asked for stands in `task.accepted`, but for three things, of which each is tried.
A task that admits one variant may have named it. The boost is recorded as it counted, together with
what was given to its whole class. What may be degraded was named, or left to the class.
"""

from collections.abc import Iterator
from itertools import product
from uuid import UUID

import msgspec

from pointsman.contracts.commands import SubmitTask
from pointsman.contracts.decided import Decided
from pointsman.contracts.events import TaskAccepted, TaskSplit
from pointsman.contracts.routing import AUTO
from pointsman.contracts.task_states import TaskState
from pointsman.scheduler.domain.admission.dependencies import PastTask
from pointsman.scheduler.domain.admission.routes import seen_in
from pointsman.scheduler.domain.admission.submitting import decide_submit
from pointsman.scheduler.domain.parts.work import decide_completeness
from pointsman.scheduler.domain.pool import Pool
from pointsman.time_machine.replay.appends import Append, Moment
from pointsman.time_machine.replay.attempt_ends import split


def accepted(pool: Pool, append: Append, event: TaskAccepted, moment: Moment) -> Decided | None:
    """The acceptance of what the sender must have asked for, or of a part of another task."""
    if event.parent:
        return _part(pool, append, moment)
    seen = None if event.route is None else seen_in(event.route)
    past = _completed_since(event)
    nearest: TaskAccepted | None = None
    for command in _commands(pool, event):
        decided = decide_submit(pool, command, event.payload, at=event.at, seen=seen, past=past)
        if not isinstance(decided, TaskAccepted):
            continue
        if decided == event:
            return _decided(append.stream, decided)
        nearest = nearest or decided
    return None if nearest is None else _decided(append.stream, nearest)


def _part(pool: Pool, append: Append, moment: Moment) -> Decided | None:
    """Accepted in the commit that cut the input, or later where that commit was torn."""
    for other in moment.commands:
        if isinstance(other.first, TaskSplit):
            cut = split(pool, other, other.first)
            also = () if cut is None else cut.also
            found = next((item for item in also if item.stream == append.stream), None)
            if found is not None:
                return found
    lacking = decide_completeness(pool, at=append.first.at)
    return next((item for item in lacking if item.stream == append.stream), None)


def _completed_since(event: TaskAccepted) -> dict[UUID, PastTask]:
    """Dependencies that it does not await had completed, or it would have been refused."""
    done = PastTask(event.tenant, TaskState.COMPLETED)
    return {UUID(task): done for task in event.depends_on if task not in event.awaits}


def _decided(stream: UUID, event: TaskAccepted) -> Decided:
    return Decided(stream, 0, (event,), event.tenant)


def _commands(pool: Pool, event: TaskAccepted) -> Iterator[SubmitTask]:
    plain = SubmitTask(
        command_id=event.message_id,
        tenant=event.tenant,
        family=event.family if event.route is None else AUTO,
        priority_class=event.priority_class,
        deadline=event.deadline,
        degradation=event.degradation,
        min_quality=event.min_quality,
        max_attempts=event.max_attempts,
        delivery=event.delivery,
        parameters=event.parameters,
        source=event.source,
        traceparent=event.traceparent,
        correlation_id=event.correlation_id,
        causation_id=event.causation_id,
        project=event.project,
        conversation=event.conversation,
        context_tokens=event.context_tokens,
        cache=event.cache,
        not_before=event.not_before,
        depends_on=tuple(map(UUID, event.depends_on)),
        bulk=event.bulk or None,
        schedule=event.schedule or None,
        pool_choice=event.pool_choice,
    )
    for model, boost_s, given in product(_models(event), _boosts(pool, event), (True, False)):
        if model is None and boost_s == 0.0 and given:
            yield plain
        else:
            degradation = event.degradation if given else None
            yield msgspec.structs.replace(
                plain, model=model, boost_s=boost_s, degradation=degradation
            )


def _boosts(pool: Pool, event: TaskAccepted) -> tuple[float, ...]:
    given = pool.influences.boost_of(event.priority_class)
    own = event.boost_s - given
    return (0.0,) if own == 0.0 else (0.0, own, event.boost_s)


def _models(event: TaskAccepted) -> tuple[str | None, ...]:
    return (None, event.variants[0]) if len(event.variants) == 1 else (None,)
