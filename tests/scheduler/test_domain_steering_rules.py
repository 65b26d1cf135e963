"""Random histories with operators in them: what they asked for holds in every interleaving."""

from collections import Counter
from typing import Final
from uuid import UUID, uuid5

from hypothesis import given as examples
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from pointsman.contracts import events
from pointsman.contracts.commands import CancelTask
from pointsman.contracts.events import ScopeKind
from pointsman.contracts.leases import Outcome, RunFailed
from pointsman.contracts.message import PriorityClass
from pointsman.contracts.steering import NO_LIMIT, SteeringCommand
from pointsman.contracts.task_states import TaskState
from pointsman.policy.order import WINDOWS
from pointsman.scheduler.domain.attempts.ends import decide_cancel, decide_lost, decide_report
from pointsman.scheduler.domain.rounds.granting import decide_round
from tests.support.pool_state import state
from tests.support.scheduling import (
    COMPLETED,
    NOON,
    A,
    accepted,
    attached,
    folded,
    given,
    granted_events,
    model,
    report,
)
from tests.support.steering import (
    boost,
    changes_nothing,
    drain,
    hold,
    limit,
    move,
    pause,
    release,
    resume,
    set_tenant,
    steered,
    undrain,
)

TENANTS: Final = ("acme", "globex", "initech")
VARIANTS: Final = {"best": "summarize", "fast": "summarize", "lexicon": "classify"}
DEVICES: Final = ("cpu-0", "cpu-1")
FAILED: Final = RunFailed(code="unavailable", message="refused", retryable=True)

tenants: Final = st.sampled_from(TENANTS)
variants: Final = st.sampled_from(sorted(VARIANTS))
devices: Final = st.sampled_from(DEVICES)
scopes: Final = st.one_of(
    st.tuples(st.just(ScopeKind.TENANT), tenants),
    st.tuples(st.just(ScopeKind.MODEL), variants),
    st.tuples(st.just(ScopeKind.FAMILY), st.sampled_from(["summarize", "classify"])),
    st.just((ScopeKind.POOL, "main")),
)
classes: Final = st.sampled_from(PriorityClass)
picks: Final = st.integers(0, 99)


class SteeredPool(RuleBasedStateMachine):
    """Submissions, rounds, ends and operators in any order; an oracle looks at every grant."""

    def __init__(self) -> None:
        super().__init__()
        self.history = given(
            model("best", quality=0.9),
            model("fast"),
            model("lexicon", family="classify"),
            *(attached(name, slots=3, variants=tuple(VARIANTS), max_batch=2) for name in DEVICES),
        )
        self.now = NOON
        self.tasks: list[UUID] = []
        self.attempts: list[tuple[UUID, events.TaskGranted]] = []
        # What the oracle remembers of what operators asked for.
        self.held: set[UUID] = set()
        self.paused: set[tuple[ScopeKind, str]] = set()
        self.drained: set[str] = set()
        self.most: dict[str, int | None] = {}

    def steer(self, command: SteeringCommand) -> bool:
        done = bool(steered(self.history, command, at=self.now))
        known = not done or changes_nothing(self.history, command, at=self.now)
        assert known, command
        return done

    @rule(tenant=tenants, classify=st.booleans(), priority_class=classes, count=st.integers(1, 4))
    def submit(
        self, tenant: str, classify: bool, priority_class: PriorityClass, count: int
    ) -> None:
        family, admissible = (
            ("classify", ("lexicon",)) if classify else ("summarize", ("best", "fast"))
        )
        for _ in range(count):
            task = uuid5(A, str(len(self.tasks)))
            self.tasks.append(task)
            event = accepted(
                at=self.now,
                family=family,
                variants=admissible,
                priority_class=priority_class,
                tenant=tenant,
                key=self.now + WINDOWS[priority_class].due_s,
            )
            self.history.append(task, event)

    @rule()
    def round(self) -> None:
        before = self.taken()
        grants = granted_events(self.history.round(self.now))
        for task, grant in grants.items():
            self.judge(task, grant)
            self.attempts.append((task, grant))
        # Limits hold after a round as well: nothing is given out beyond what is left.
        for name, count in (self.taken() - before).items():
            most = self.most.get(name)
            assert most is None or before[name] + count <= most, name

    def judge(self, task: UUID, grant: events.TaskGranted) -> None:
        first = self.history.of(task)[0]
        assert isinstance(first, events.TaskAccepted)
        assert task not in self.held
        assert grant.device not in self.drained
        for scope in (
            (ScopeKind.POOL, "main"),
            (ScopeKind.TENANT, first.tenant),
            (ScopeKind.FAMILY, first.family),
            (ScopeKind.MODEL, grant.variant),
        ):
            assert scope not in self.paused

    def taken(self) -> Counter[str]:
        """Attempts that take a slot, by tenant and by variant, counted slot by slot."""
        taken: Counter[str] = Counter()
        for device in self.history.pool.devices.values():
            for (task, _), slot in (*device.held.items(), *device.suspect.items()):
                first = self.history.of(task)[0]
                assert isinstance(first, events.TaskAccepted)
                taken[first.tenant] += 1
                taken[slot.variant] += 1
        return taken

    @precondition(lambda self: self.attempts)
    @rule(pick=picks, outcome=st.sampled_from([COMPLETED, COMPLETED, FAILED]))
    def end(self, pick: int, outcome: Outcome) -> None:
        task, grant = self.attempts[-1 - pick % len(self.attempts)]
        told = report(task, grant.attempt, outcome, device=grant.device)
        decided = decide_report(self.history.pool, told, at=self.now, draw=0.0)
        assert decided is None or self.history.record(decided)

    @precondition(lambda self: self.tasks)
    @rule(pick=picks, lost=st.booleans())
    def cancel_or_lose(self, pick: int, lost: bool) -> None:
        task = self.tasks[-1 - pick % len(self.tasks)]
        command = CancelTask(command_id="c", task=task, by="ada")
        decided = (
            decide_lost(self.history.pool, task, "lease_expired", at=self.now)
            if lost
            else decide_cancel(self.history.pool, command, at=self.now)
        )
        assert decided is None or self.history.record(decided)

    @precondition(lambda self: self.tasks)
    @rule(pick=picks, holds=st.booleans())
    def hold_or_release(self, pick: int, holds: bool) -> None:
        task = self.tasks[-1 - pick % min(8, len(self.tasks))]
        if self.steer(hold(task) if holds else release(task)):
            (self.held.add if holds else self.held.discard)(task)

    @precondition(lambda self: self.tasks)
    @rule(pick=picks, how=st.one_of(classes, st.sampled_from([0.0, 1.0, 20.0])))
    def move_or_boost(self, pick: int, how: PriorityClass | float) -> None:
        task = self.tasks[-1 - pick % len(self.tasks)]
        self.steer(move(task, how) if isinstance(how, PriorityClass) else boost(task, how))

    @rule(scope=scopes, on=st.booleans())
    def pause_or_resume(self, scope: tuple[ScopeKind, str], on: bool) -> None:
        if self.steer(pause(*scope) if on else resume(*scope)):
            (self.paused.add if on else self.paused.discard)(scope)

    @rule(device=devices, on=st.booleans())
    def drain_or_undrain(self, device: str, on: bool) -> None:
        if self.steer(drain(device) if on else undrain(device)):
            (self.drained.add if on else self.drained.discard)(device)

    @rule(tenant=tenants, running=st.sampled_from([0, 1, 2, NO_LIMIT]), weight=st.just(2.0))
    def set_a_tenant(self, tenant: str, running: int, weight: float) -> None:
        self.steer(set_tenant(tenant, running=running, weight=weight))
        self.most[tenant] = None if running == NO_LIMIT else running

    @rule(variant=variants, running=st.sampled_from([0, 1, 2, NO_LIMIT]))
    def limit_a_model(self, variant: str, running: int) -> None:
        self.steer(limit(variant, running))
        self.most[variant] = None if running == NO_LIMIT else running

    @rule(seconds=st.sampled_from([0.125, 1.0, 30.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @invariant()
    def what_waits_is_counted_by_tenant(self) -> None:
        pool = self.history.pool
        waiting = [task for task in pool.tasks.values() if task.state is TaskState.QUEUED]
        assert pool.queued == len(waiting)
        assert +pool.queued_of == Counter(task.tenant for task in waiting)

    @invariant()
    def whoever_is_held_stands_in_no_queue(self) -> None:
        pool = self.history.pool
        for task in self.held & pool.tasks.keys():
            assert pool.tasks[task] not in pool.waiting

    def teardown(self) -> None:
        again = folded(self.history.entries)
        assert state(again, self.now) == state(self.history.pool, self.now)
        assert decide_round(again, at=self.now) == decide_round(self.history.pool, at=self.now)


SteeredPool.TestCase.settings = settings(max_examples=50, stateful_step_count=40, deadline=None)
TestSteeredPool = SteeredPool.TestCase


@settings(max_examples=60, deadline=None)
@examples(
    asked=st.lists(
        st.sampled_from(
            [
                hold(A),
                release(A),
                boost(A, 5.0),
                move(A, PriorityClass.BATCH),
                pause(ScopeKind.TENANT, "acme"),
                resume(ScopeKind.TENANT, "acme"),
                drain(),
                undrain(),
                limit("fast", 1),
                limit("fast", NO_LIMIT),
                set_tenant(running=1),
            ]
        ),
        max_size=12,
    )
)
def test_every_command_twice_leaves_what_it_leaves_once(asked: list[SteeringCommand]) -> None:
    once, twice = (given(model(), attached(), (A, accepted())) for _ in range(2))

    for command in asked:
        steered(once, command)
        steered(twice, command)
        assert changes_nothing(twice, command)
        steered(twice, command)

    assert [entry.event for entry in once.entries] == [entry.event for entry in twice.entries]
