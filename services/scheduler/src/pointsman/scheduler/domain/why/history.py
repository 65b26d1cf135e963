"""The history of one task in sentences, from its events alone."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Final

from pointsman.contracts import events
from pointsman.contracts.events import Candidate, Decision, TaskAccepted, TaskGranted
from pointsman.contracts.task_states import WITHOUT_RESULT
from pointsman.scheduler.domain.tasks import PREPARATION_S
from pointsman.scheduler.domain.why.attempts import ATTEMPT_TELLERS, way_back
from pointsman.scheduler.domain.why.dependencies import NO_ENDS, Ends, dependencies, kept_s
from pointsman.scheduler.domain.why.endurance import goes_on, standing
from pointsman.scheduler.domain.why.hedges import HEDGE_TELLERS, first_of_two
from pointsman.scheduler.domain.why.in_the_way import ToldWait
from pointsman.scheduler.domain.why.judging import judged, order_words, routed
from pointsman.scheduler.domain.why.parts import PARTS_TELLERS, in_parts, merged
from pointsman.scheduler.domain.why.starting import starting
from pointsman.scheduler.domain.why.steering import STEERING_TELLERS, rekeyed
from pointsman.scheduler.domain.why.words import clock, span

_TERMINAL: Final = (events.TaskCompleted, *WITHOUT_RESULT)

NOTHING_IN_THE_WAY: Final[Mapping[int, ToldWait]] = MappingProxyType({})


def sentences(
    history: Sequence[Decision],
    waits: Mapping[int, ToldWait] = NOTHING_IN_THE_WAY,
    ends: Ends = NO_ENDS,
) -> list[str]:
    """A few sentences per event, oldest first.

    `waits` has what was in the way until an event, by its index; beyond the last: until now.
    `ends` are those of the tasks that it depends on.
    """
    others = _Others(history, ends)
    told: list[str] = []
    for index, event in enumerate(history):
        told += waits[index].sentences if index in waits else ()
        before = history[:index]
        following = history[index + 1] if index + 1 < len(history) else None
        told += _before(before, event)
        told += _of(before, event, following, others)
        told += _after(before, event)
        gave_up = isinstance(following, events.TaskFailed | events.SplitPlanned)
        if not gave_up:
            told += way_back(event)
    return told + list(waits[len(history)].sentences if len(history) in waits else ())


def _before(before: Sequence[Decision], event: Decision) -> list[str]:
    first = isinstance(event, TaskGranted) and event.attempt == 1
    return _unprepared(before) if first else []


class _Others:
    """What other tasks had to do with one."""

    def __init__(self, history: Sequence[Decision], ends: Ends) -> None:
        first = history[0] if history else None
        self._accepted = first if isinstance(first, TaskAccepted) else None
        self._over = any(isinstance(event, _TERMINAL) for event in history)
        self._ends = ends

    @property
    def kept_s(self) -> float:
        """For how long the task waited for them, and for nothing else."""
        return 0.0 if self._accepted is None else kept_s(self._accepted, self._ends)

    def told(self, accepted: TaskAccepted) -> list[str]:
        """Those that it depends on."""
        return dependencies(accepted, self._ends, over=self._over)


def _of(
    before: Sequence[Decision], event: Decision, following: Decision | None, others: _Others
) -> list[str]:
    match event:
        case TaskAccepted():
            return [*_accepted(event), *others.told(event)]
        case TaskGranted():
            return _granted(event, others.kept_s)
        case events.TaskCompleted():
            return _completed(event, others.kept_s)
        case events.TaskCheckpointed():
            return standing(event, following)
        case events.TaskRekeyed():
            return rekeyed(before, event)
        case _:
            tell = _TELLERS.get(type(event))
            return [] if tell is None else tell(event)


def _after(before: Sequence[Decision], event: Decision) -> list[str]:
    match event:
        case TaskGranted() | events.TaskHedged():
            return goes_on(before, event)
        case events.TaskCompleted():
            return first_of_two(before, event)
        case _:
            return []


def _unprepared(before: Sequence[Decision]) -> list[str]:
    """What a task has to do without that waited for the context service in vain."""
    accepted = before[0] if before else None
    if not isinstance(accepted, TaskAccepted):
        return []
    waited = accepted.conversation is not None or accepted.cache
    if not waited or any(isinstance(event, events.TaskPrepared) for event in before):
        return []
    patience = span(PREPARATION_S)
    return [f"Nothing prepared it within {patience}, so it runs on its input alone."]


def _accepted(event: TaskAccepted) -> list[str]:
    arrival = max(event.at, event.not_before or 0.0)
    due = span(max(0.0, event.key - arrival))
    told = [
        (
            f"{clock(event.at)}: accepted from {event.source} for tenant {event.tenant} as "
            f"{event.priority_class} work of family {event.family}, due to start within {due} "
            f"of its arrival."
        ),
    ]
    told.append(f"That was on {datetime.fromtimestamp(event.at, tz=UTC):%Y-%m-%d}; times are UTC.")
    if event.deadline is not None:
        told.append(f"Its deadline is {clock(event.deadline)}.")
    if event.route is not None:
        told += routed(event.route)
    variants = ", ".join(event.variants)
    told.append(f"Admissible variants, {order_words(event.judged)}: {variants}.")
    if event.judged is not None:
        told += judged(event, event.judged)
    told += _causes(event.causes)
    if event.conversation is not None:
        told.append(f"It belongs to conversation {event.conversation}.")
    if event.cache:
        told.append("The result of an identical task will do.")
    return [*told, *in_parts(event), *starting(event)]


def _prepared(event: events.TaskPrepared) -> list[str]:
    if event.payload is None:
        reason = event.note or "there was none"
        return [f"{clock(event.at)}: it runs on its input alone: {reason}."]
    return [
        (
            f"{clock(event.at)}: context attached: {event.kept} earlier turn(s) kept, "
            f"{event.dropped} dropped, {event.tokens} tokens with the input."
        )
    ]


def _causes(causes: Sequence[events.Cause]) -> list[str]:
    return [
        f"What turned it: {cause.detail} ({cause.topic} at position {cause.position})."
        for cause in causes
    ]


def _granted(event: TaskGranted, kept_s: float) -> list[str]:
    why = event.explanation
    chosen, parts = why.chosen, why.components
    waited = span(max(0.0, parts.age_s - kept_s))
    lead = (
        "it was first in the order"
        if why.rank == 1
        else f"{why.rank - 1} earlier class(es) of tasks could use no free slot"
    )
    told = [
        (
            f"{clock(event.at)}: attempt {event.attempt} granted to {event.variant} on "
            f"{event.device} after {waited}; of {why.queued} waiting task(s) {lead}."
        ),
        f"Its place: class window {span(parts.base_s)}"
        + (f", boost {span(parts.boost_s)}" if parts.boost_s else "")
        + (f", pulled forward {span(parts.deadline_s)} by its deadline" if parts.deadline_s else "")
        + f"; suitability {chosen.score:.3f} (memory {chosen.memory:.2f}, free slots "
        f"{chosen.utilisation:.2f}, "
        + (
            f"temperature {chosen.temperature:.2f}, "
            if chosen.temperature is not None
            else "temperature not measured, "
        )
        + f"affinity {chosen.affinity:.2f}), quality {chosen.quality:.2f}.",
    ]
    told += [*_company(event), *_causes(why.causes)]
    if event.samples:
        told.append(f"Device samples used: {', '.join(event.samples)}.")
    if why.others:
        others = "; ".join(_alternative(other, chosen) for other in why.others)
        more = f"; and {why.more} more" if why.more else ""
        told.append(f"Alternatives: {others}{more}.")
    else:
        told.append("There was no alternative.")
    return told


def _company(event: TaskGranted) -> list[str]:
    batch = event.batch
    if batch is None:
        return []
    told = (
        f"It shares one call with {batch.size - 1} other task(s) of its class (batch {batch.id}, "
        f"at most {batch.most}): more of them waited than slots were free, and together they are "
        f"expected to take hardly longer than one."
    )
    return [told]


def _alternative(other: Candidate, chosen: Candidate) -> str:
    name = f"{other.variant} on {other.device}"
    if other.refused is not None:
        return f"{name} ({other.refused})"
    if other.quality < chosen.quality:
        return f"{name} (lower quality {other.quality:.2f})"
    return f"{name} (suitability {other.score:.3f})"


def _completed(event: events.TaskCompleted, kept_s: float) -> list[str]:
    if event.cached_from:
        return [
            (
                f"{clock(event.at)}: completed with the cached result of task "
                f"{event.cached_from} by {event.variant}; nothing was run."
            )
        ]
    waited_s = max(0.0, event.queue_s - kept_s)
    if event.parts is not None:
        return merged(event, waited_s)
    return [
        (
            f"{clock(event.at)}: completed by {event.variant} on {event.device}: waited "
            f"{span(waited_s)}, ran {span(event.run_s)}, result {event.result.size} bytes."
        )
    ]


def _failed(event: events.TaskFailed) -> list[str]:
    return [
        (
            f"{clock(event.at)}: failed after {event.attempts} attempt(s): "
            f"{event.message} ({event.code})."
        )
    ]


def _cancelled(event: events.TaskCancelled) -> list[str]:
    running = f" while attempt {event.attempt} was running" if event.attempt else ""
    reason = f": {event.reason}" if event.reason else ""
    return [f"{clock(event.at)}: cancelled by {event.by}{running}{reason}."]


def _expired(event: events.TaskExpired) -> list[str]:
    needed = f"; the fastest variant needs {span(event.needed_s)}" if event.needed_s else ""
    return [
        f"{clock(event.at)}: expired, {event.reason} (deadline {clock(event.deadline)}{needed})."
    ]


def _shed(event: events.TaskShed) -> list[str]:
    return [f"{clock(event.at)}: shed under overload: {event.reason}.", *_causes(event.causes)]


def _abandoned(event: events.TaskAbandoned) -> list[str]:
    return [f"{clock(event.at)}: abandoned: {event.reason}."]


# Each entry takes the event type that it stands under; the table is what keeps them together.
_TELLERS: dict[type[Decision], Callable[..., list[str]]] = {
    events.TaskPrepared: _prepared,
    events.TaskFailed: _failed,
    events.TaskCancelled: _cancelled,
    events.TaskExpired: _expired,
    events.TaskShed: _shed,
    events.TaskAbandoned: _abandoned,
    **ATTEMPT_TELLERS,
    **HEDGE_TELLERS,
    **PARTS_TELLERS,
    **STEERING_TELLERS,
}
