"""Grants: which task runs next, on which device and with which variant.

One round decides on one state of the log: the `k`-th decision of a round sees the slots that the
earlier ones took, and all of them carry the same `at` and `applied_to`, so that a replay that
folds to `applied_to` decides the same round again. Who shares a call is known when the round ends.
"""

from collections.abc import Iterator
from typing import Final
from uuid import UUID

import msgspec

from pointsman.contracts.decided import Decided
from pointsman.contracts.events import Decision, Explanation, SlotReleased, TaskExpired, TaskGranted
from pointsman.contracts.events.tasks import BatchPlace
from pointsman.contracts.levels import Level
from pointsman.contracts.streams import stream_id
from pointsman.policy.order import components
from pointsman.policy.placement import Choice, Weights, choose
from pointsman.policy.timing import run_timeout_s
from pointsman.scheduler.domain.offers import TOO_LATE, Offers
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.tasks import ClassId, OpenTask
from pointsman.scheduler.domain.variants import VariantOrder

ROUND_LIMIT: Final = 256
"""Grants of one round; they are committed together, so a longer round delays its first."""

SKIP_LIMIT: Final = 64
"""Tasks that one round passes over inside their class; each costs a look at every device."""

CONFIG: Final = "policy-3"
"""Names the parameters of `pointsman.policy`; changes whenever one of them does."""

_PASSED: Final = 3


def decide_round(pool: Pool, *, at: float) -> list[Decided]:
    """Everything that can be decided now: expiries, freed slots, then grants in key order."""
    pool.release_retries(at)
    decided = [*_expiries(pool, at), *_overdue_slots(pool, at)]
    expired = {item.stream for item in decided}
    decided += _Round(pool, at, expired).grants(ROUND_LIMIT)
    return decided


def _expiries(pool: Pool, at: float) -> Iterator[Decided]:
    for task in pool.due_deadlines(at):
        expiry = _too_late(pool, task, at)
        if expiry is not None:
            yield Decided(task.id, task.version, (expiry,), task.accepted.tenant)


def _too_late(pool: Pool, task: OpenTask, at: float) -> TaskExpired | None:
    deadline = task.accepted.deadline
    if deadline is None:
        return None
    needed = pool.models.fastest_s(task.accepted.variants)
    if at < deadline and at + needed <= deadline:
        return None
    reason = (
        "the deadline has passed"
        if at >= deadline
        else "no admissible variant can finish before the deadline"
    )
    return TaskExpired(
        at=at, applied_to=pool.applied_to, deadline=deadline, reason=reason, needed_s=needed
    )


def _overdue_slots(pool: Pool, at: float) -> Iterator[Decided]:
    for name, device in pool.devices.items():
        overdue = [key for key, slot in device.suspect.items() if slot.free_at <= at]
        if overdue:
            stream = stream_id("device", name)
            released: tuple[Decision, ...] = tuple(
                SlotReleased(
                    at=at,
                    applied_to=pool.applied_to,
                    device=name,
                    task=str(task),
                    attempt=attempt,
                    reason="run_deadline_over",
                )
                for task, attempt in overdue
            )
            yield Decided(stream, pool.version_of(stream), released)


class _Round:
    """One round of grants over a state that does not change meanwhile."""

    def __init__(self, pool: Pool, at: float, skip: set[UUID]) -> None:
        self._pool = pool
        self._at = at
        self._skip = skip
        self._offers = Offers(pool, at)
        self._popped: list[OpenTask] = []
        self._index = 0
        self._queued = pool.queued
        self._skipped = 0

    def grants(self, limit: int) -> list[Decided]:
        """Take heads in key order while some device can take them."""
        decided: list[Decided] = []
        if not self._offers.any_open():
            return decided
        blocked: set[ClassId] = set()
        while len(decided) < limit:
            task = self._next(blocked)
            if task is None:
                break
            decision = self._decide(task, blocked)
            if decision is not None:
                decided.append(Decided(task.id, task.version, (decision,), task.accepted.tenant))
                self._take(task)
            elif task.id not in self._skip:
                blocked.add(task.class_id)
        # Granted tasks leave their queue when the grant is folded, not when it is decided.
        for task in self._popped:
            self._pool.put_back(task, self._at)
        places = dict(self._offers.calls.shared())
        return [self._in_company(item, places) for item in decided] if places else decided

    def _in_company(self, decided: Decided, places: dict[UUID, BatchPlace]) -> Decided:
        """A grant as it is in a call that others share."""
        (event,) = decided.events
        place = places.get(decided.stream)
        if place is None or not isinstance(event, TaskGranted):
            return decided
        task = self._pool.tasks[decided.stream]
        timeout_s = self._timeout_s(task, event.device, event.variant, place.size)
        granted = msgspec.structs.replace(event, run_timeout_s=timeout_s, batch=place)
        return Decided(decided.stream, decided.after, (granted,), decided.tenant)

    def _next(self, blocked: set[ClassId]) -> OpenTask | None:
        best: tuple[float, int, UUID] | None = None
        for class_id, queue in self._pool.queues.items():
            if class_id in blocked:
                continue
            head = queue.head()
            while head is not None and self._passes_over(head[2]):
                self._take(self._pool.tasks[head[2]])
                head = queue.head()
            if head is not None and (best is None or head < best):
                best = head
        return self._pool.tasks[best[2]] if best is not None else None

    def _passes_over(self, task_id: UUID) -> bool:
        # A retry that was released by a clock which has been set back since waits again: a replay
        # of this round would not release it.
        return task_id in self._skip or self._pool.tasks[task_id].retry_at > self._at

    def _take(self, task: OpenTask) -> None:
        self._pool.queues[task.class_id].discard(task.id)
        self._popped.append(task)

    def _decide(self, task: OpenTask, blocked: set[ClassId]) -> TaskGranted | TaskExpired | None:
        expiry = _too_late(self._pool, task, self._at)
        if expiry is not None:
            self._queued -= 1
            return expiry
        order = self._offers.order(task)
        options = list(self._offers.options(task, order))
        choice = choose(options, Weights())
        if choice is not None:
            explanation = self._explain(task, choice, order, blocked)
            return self._grant(task, choice, explanation)
        if self._skipped < SKIP_LIMIT and any(o.refused == TOO_LATE for o in options):
            # A slot is free that is too slow for this task; the next of its class may take it.
            self._skip.add(task.id)
            self._skipped += 1
        return None

    def _grant(self, task: OpenTask, choice: Choice, explanation: Explanation) -> TaskGranted:
        chosen = choice.chosen
        offer = self._pool.devices[chosen.device].offer
        granted = TaskGranted(
            at=self._at,
            applied_to=self._pool.applied_to,
            attempt=task.attempts + 1,
            round=self._index,
            executor=offer.executor,
            incarnation=offer.incarnation,
            device=chosen.device,
            variant=chosen.variant,
            run_timeout_s=self._timeout_s(task, chosen.device, chosen.variant),
            explanation=explanation,
            samples=self._offers.samples({c.device for c in (chosen, *choice.others)}),
        )
        self._index += 1
        self._queued -= 1
        self._offers.take(task, choice)
        return granted

    def _timeout_s(self, task: OpenTask, device: str, variant: str, size: int = 1) -> float:
        models = self._pool.models
        return run_timeout_s(
            models.run_times_of(variant),
            self._pool.devices[device].offer.device_class,
            now=self._at,
            deadline=task.accepted.deadline,
            timed_out=task.timed_out,
            added_s=(size - 1) * models.added_times_of(variant).p99_s,
        )

    def _explain(
        self, task: OpenTask, choice: Choice, order: VariantOrder, blocked: set[ClassId]
    ) -> Explanation:
        level = self._pool.influences.level
        accepted = task.accepted
        passed = self._passed(task, blocked)
        return Explanation(
            queued=self._queued,
            rank=1 + len(passed),
            components=components(
                accepted.priority_class,
                arrival=accepted.at,
                boost_s=accepted.boost_s,
                key=accepted.key,
                now=self._at,
            ),
            chosen=choice.chosen,
            others=choice.others,
            more=choice.more,
            more_digest=choice.more_digest,
            passed=tuple(str(task_id) for task_id in passed[:_PASSED]),
            config=CONFIG,
            level="" if level is Level.NORMAL else level,
            causes=tuple(order.causes),
        )

    def _passed(self, task: OpenTask, blocked: set[ClassId]) -> list[UUID]:
        heads = [self._pool.queues[class_id].head() for class_id in blocked]
        mine = (task.accepted.key, task.position)
        return [head[2] for head in sorted(h for h in heads if h) if (head[0], head[1]) < mine]
