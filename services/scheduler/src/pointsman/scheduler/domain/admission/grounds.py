"""What judgements and routes stand on, folded from the log, and what was found of devices."""

from collections.abc import Iterable
from typing import Final, NamedTuple

from pointsman.contracts.events import (
    FamilyRule,
    ModelRegistered,
    RoutingChanged,
    TaskAccepted,
    TaskCompleted,
)
from pointsman.policy.complexity import asked_tokens, tokens_of, work_of, written_tokens
from pointsman.policy.habits import Habit, Habits
from pointsman.policy.task_sizes import Measured, TaskSizes
from pointsman.scheduler.domain.tasks import LiveLease, OpenTask

_OF_SERVICES: Final = frozenset({"/pointsman/context"})
"""Sources whose tasks are no choice of the tenant."""


class Unable(NamedTuple):
    """What was looked at when no device was found able to run some variants, and why."""

    changes: int
    """Of the devices until then."""
    models: tuple[ModelRegistered | None, ...]
    why: str


class Grounds:
    """The routing file, the sizes of completed tasks, and the families that senders named."""

    def __init__(self, pool: str) -> None:
        self.rules: RoutingChanged | None = None
        self.sizes = TaskSizes()
        self.habits = Habits()
        self.able: dict[str, str] = {}
        """By variant, a device that was found able to run it: where the next look begins."""
        self.unable: dict[tuple[str, ...], Unable] = {}
        """By variants that none is able to run: what was found, as long as it holds."""
        self._pool = pool
        self._families: dict[str, FamilyRule] = {}

    def configure(self, event: RoutingChanged) -> None:
        """Another routing file holds from here on."""
        if event.pool == self._pool:
            self.rules = event
            self._families = {rule.family: rule for rule in event.families}

    def restore(
        self, rules: RoutingChanged | None, sizes: Iterable[Measured], habits: Iterable[Habit]
    ) -> None:
        """Go on from what a snapshot kept."""
        if rules is not None:
            self.configure(rules)
        for measured in sizes:
            self.sizes.restore(measured)
        for habit in habits:
            self.habits.restore(habit)

    def rule(self, family: str) -> FamilyRule | None:
        """What was declared of a family."""
        return self._families.get(family)

    def accepted(self, event: TaskAccepted) -> None:
        """Count a family that was named; what routing found would only confirm itself."""
        if event.route is None and not event.parent and event.source not in _OF_SERVICES:
            self.habits.chose(event.tenant, event.project, event.family)

    def completed(self, task: OpenTask, lease: LiveLease, event: TaskCompleted) -> None:
        """Learn from a run of one call; the parts of a task that was cut teach by themselves."""
        if event.parts is not None:
            return
        accepted = task.accepted
        input_tokens = tokens_of(task.payload.size)
        written = written_tokens(event.result.size, event.result.media_type)
        asked = asked_tokens(accepted.parameters)
        work = work_of(input_tokens, written if asked is None else asked)
        self.sizes.completed(
            accepted.family, input_tokens=input_tokens, output_tokens=written, work=work
        )
        if lease.batch is None:
            self.sizes.ran(
                accepted.family,
                lease.variant,
                work=work,
                run_s=event.run_s,
                estimated_s=task.estimated_s if lease.variant == accepted.variants[0] else 0.0,
            )
