"""Grants: which task runs next, on which device and with which variant.

One round decides on one state of the log: the `k`-th decision of a round sees the slots that the
earlier ones took, and all of them carry the same `at` and `applied_to`, so that a replay that
folds to `applied_to` decides the same round again. Who shares a call is known when the round ends.
"""

from collections.abc import Iterator, Mapping
from typing import Final
from uuid import UUID

import msgspec

from pointsman.contracts.decided import Decided
from pointsman.contracts.events import Explanation, SlotReleased, TaskExpired, TaskGranted
from pointsman.contracts.events.tasks import BatchPlace
from pointsman.contracts.streams import stream_id
from pointsman.policy.placement import Choice, Weights, choose
from pointsman.scheduler.domain.attempts.hedging import decide_hedge
from pointsman.scheduler.domain.attempts.timeouts import timeout_s
from pointsman.scheduler.domain.parts.work import decide_completeness, decide_parts
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.residency.changes import decide_residency
from pointsman.scheduler.domain.rounds.expiring import too_late
from pointsman.scheduler.domain.rounds.explaining import explain
from pointsman.scheduler.domain.rounds.gates import Gates
from pointsman.scheduler.domain.rounds.line import Line
from pointsman.scheduler.domain.rounds.offers import TOO_LATE, Offers
from pointsman.scheduler.domain.tasks import OpenTask

ROUND_LIMIT: Final = 256
"""Grants of one round; they are committed together, so a longer round delays its first."""

SKIP_LIMIT: Final = 64
"""Tasks that one round passes over inside their class; each costs a look at every device."""


def decide_round(pool: Pool, *, at: float) -> list[Decided]:
    """Everything that can be decided now: expiries, freed slots, then grants in key order.

    A hedge only where nothing else is decided, so that all others have what they can get.
    """
    with pool.waiting.released(at):
        return _round(pool, at)


def _round(pool: Pool, at: float) -> list[Decided]:
    decided = [
        *pool.dependencies.failures(at=at, applied_to=pool.applied_to),
        *_expiries(pool, at),
        *_overdue_slots(pool, at),
    ]
    decided += decide_completeness(pool, at=at, skip={item.stream for item in decided})
    expired = {item.stream for item in decided}
    decided += pool.breakers.decide(at=at, applied_to=pool.applied_to, version_of=pool.version_of)
    gates = Gates(pool, at)
    if gates.pool_refused():
        return decided
    decided += decide_parts(pool, gates, at=at, skip=expired)
    residency = decide_residency(pool, gates, at=at, skip=expired)
    expired |= {item.stream for item in residency.decided}
    decided += residency.decided
    decided += _Round(pool, at, gates, expired, residency.reserved).grants(ROUND_LIMIT)
    hedge = None if decided else decide_hedge(pool, gates, at=at, reserved=residency.reserved)
    return decided if hedge is None else [hedge]


def _expiries(pool: Pool, at: float) -> Iterator[Decided]:
    for task in pool.waiting.due_deadlines(at):
        expiry = too_late(pool, task, at)
        # One that is to fail because of another fails in this round or in one of the next.
        if expiry is not None and task.id not in pool.dependencies:
            yield Decided(task.id, task.version, (expiry,), task.tenant)


def _overdue_slots(pool: Pool, at: float) -> Iterator[Decided]:
    for name, device in pool.devices.items():
        overdue = [key for key, slot in device.suspect.items() if slot.free_at <= at]
        if overdue:
            released = (
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
            yield pool.decided(stream_id("device", name), *released)


class _Round:
    """One round of grants over a state that does not change meanwhile."""

    def __init__(
        self, pool: Pool, at: float, gates: Gates, skip: set[UUID], reserved: Mapping[str, str]
    ) -> None:
        self._pool = pool
        self._at = at
        self._skip = skip
        self._line = Line(pool, at, gates, skip)
        self._offers = Offers(pool, at, gates, reserved)
        self._index = 0
        self._queued = pool.queued
        self._skipped = 0

    def grants(self, limit: int) -> list[Decided]:
        """Take heads in key order while some device can take them."""
        decided: list[Decided] = []
        if not self._offers.any_open():
            return decided
        while len(decided) < limit:
            task = self._line.next()
            if task is None:
                break
            decision = self._decide(task)
            if decision is not None:
                decided.append(Decided(task.id, task.version, (decision,), task.tenant))
            elif task.id not in self._skip:
                self._line.blocked.add(task.class_id)
        self._line.restore()
        places = dict(self._offers.calls.shared())
        return [self._in_company(item, places) for item in decided] if places else decided

    def _in_company(self, decided: Decided, places: dict[UUID, BatchPlace]) -> Decided:
        """A grant as it is in a call that others share."""
        (event,) = decided.events
        place = places.get(decided.stream)
        if place is None or not isinstance(event, TaskGranted):
            return decided
        task = self._pool.tasks[decided.stream]
        run_timeout_s = timeout_s(
            self._pool, task, event.device, event.variant, at=self._at, size=place.size
        )
        granted = msgspec.structs.replace(event, run_timeout_s=run_timeout_s, batch=place)
        return Decided(decided.stream, decided.after, (granted,), decided.tenant)

    def _decide(self, task: OpenTask) -> TaskGranted | TaskExpired | None:
        expiry = too_late(self._pool, task, self._at)
        if expiry is not None:
            self._queued -= 1
            self._line.take(task)
            return expiry
        order = self._offers.order(task)
        options = list(self._offers.options(task, order))
        choice = choose(options, Weights())
        if choice is not None:
            explanation = explain(
                self._pool,
                task,
                choice,
                order,
                at=self._at,
                queued=self._queued,
                passed=self._line.passed(task),
            )
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
            run_timeout_s=timeout_s(self._pool, task, chosen.device, chosen.variant, at=self._at),
            explanation=explanation,
            samples=self._offers.samples({c.device for c in (chosen, *choice.others)}),
        )
        self._index += 1
        self._queued -= 1
        self._offers.take(task, choice)
        self._line.granted(task, self._share_s(choice))
        return granted

    def _share_s(self, choice: Choice) -> float:
        """What the tenant is charged for within this round."""
        chosen = choice.chosen
        models = self._pool.models
        times = models.added_times_of if choice.joins else models.run_times_of
        return times(chosen.variant).p50_s
