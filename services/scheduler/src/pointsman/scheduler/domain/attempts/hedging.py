"""Hedges: a second attempt for a task whose first takes long, on a slot that nobody else wants."""

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from pointsman.contracts.decided import Decided
from pointsman.contracts.events import DeviceMode, TaskHedged
from pointsman.policy.placement import Choice, Option, Weights, choose
from pointsman.scheduler.domain.attempts.timeouts import timeout_s
from pointsman.scheduler.domain.devices import Device
from pointsman.scheduler.domain.pool import Pool
from pointsman.scheduler.domain.rounds.explaining import explain
from pointsman.scheduler.domain.rounds.gates import Gates
from pointsman.scheduler.domain.rounds.offers import Offers
from pointsman.scheduler.domain.rounds.variants import VariantOrder
from pointsman.scheduler.domain.tasks import LiveLease, OpenTask

LOOK: Final = 16
"""Slow attempts that one round looks at; each costs a look at every device."""


def decide_hedge(
    pool: Pool, gates: Gates, *, at: float, reserved: Mapping[str, str]
) -> Decided | None:
    """The hedge that is most due, for a round that has nothing else to decide.

    One a round: each stands on the slots and the allowance that the one before it left.
    """
    if not pool.attempts.hedges.suffices:
        return None
    due = sorted((due, task.position, task) for due, task in pool.slow_attempts.due() if due <= at)
    if not due:
        return None
    look = _Look(pool, gates, at, reserved)
    found = (look.hedge(task) for _, _, task in due[:LOOK])
    return next((hedge for hedge in found if hedge is not None), None)


class _Look:
    """One look at the slots that are free."""

    def __init__(self, pool: Pool, gates: Gates, at: float, reserved: Mapping[str, str]) -> None:
        self._pool = pool
        self._gates = gates
        self._at = at
        self._offers = Offers(pool, at, gates, reserved)
        self._wanted = {
            variant for (_, variants), _ in pool.waiting.queues() for variant in variants
        }
        """Variants that admit a task that waits."""

    def hedge(self, task: OpenTask) -> Decided | None:
        """A second attempt of a task, if there is an idle slot for it."""
        lease = task.lease
        if lease is None or self._refused(task):
            return None
        order = self._offers.order(task)
        options = list(self._options(task, lease, order))
        # What holds up one call of a device may hold up the next one as well.
        elsewhere = [option for option in options if option.device != lease.device]
        choice = choose(elsewhere, Weights()) or choose(options, Weights())
        if choice is None:
            return None
        hedged = self._hedged(task, lease, choice, order)
        return Decided(task.id, task.version, (hedged,), task.tenant)

    def _refused(self, task: OpenTask) -> str | None:
        return self._gates.class_refused(task.class_id) or self._gates.tenant_refused(task.tenant)

    def _options(self, task: OpenTask, lease: LiveLease, order: VariantOrder) -> Iterator[Option]:
        """Where the same variant is loaded, with what speaks against each."""
        for option in self._offers.options(task, order):
            if option.variant != lease.variant:
                continue
            if option.refused is None and self._is_wanted(self._pool.devices[option.device]):
                yield msgspec.structs.replace(option, refused="a task waits that could run there")
            else:
                yield option

    def _is_wanted(self, device: Device) -> bool:
        """Whether a task waits that the device could serve, loaded or not."""
        if device.offer.mode is not DeviceMode.FIXED:
            return bool(self._wanted)
        return any(variant in self._wanted for variant in device.slots_of)

    def _hedged(
        self, task: OpenTask, lease: LiveLease, choice: Choice, order: VariantOrder
    ) -> TaskHedged:
        pool, chosen = self._pool, choice.chosen
        offer = pool.devices[chosen.device].offer
        usual = pool.slow_attempts.usual(lease.variant)
        return TaskHedged(
            at=self._at,
            applied_to=pool.applied_to,
            attempt=task.attempts + 1,
            beside=lease.attempt,
            executor=offer.executor,
            incarnation=offer.incarnation,
            device=chosen.device,
            variant=chosen.variant,
            run_timeout_s=timeout_s(pool, task, chosen.device, chosen.variant, at=self._at),
            waited_s=round(self._at - lease.granted_at, 6),
            usual_s=usual.wait_s if usual is not None else 0.0,
            runs=usual.runs if usual is not None else 0,
            allowance=round(pool.attempts.hedges.allowance, 6),
            explanation=explain(pool, task, choice, order, at=self._at, queued=pool.queued),
            samples=self._offers.samples({c.device for c in (chosen, *choice.others)}),
        )
