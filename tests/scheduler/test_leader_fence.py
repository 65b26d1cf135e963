"""Several schedulers believe that they lead: the log's fence lets one of them write."""

import asyncio
from dataclasses import dataclass, field
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pointsman.contracts.commands import Accepted, CancelTask, NotLeader
from pointsman.contracts.decided import Decided
from pointsman.contracts.events import Decision
from pointsman.contracts.leases import Lease
from pointsman.contracts.recorded import Recorded
from pointsman.contracts.topics import EventCodec
from pointsman.scheduler.domain.attempts.ends import decide_cancel, decide_report
from pointsman.scheduler.domain.rounds.granting import decide_round
from pointsman.scheduler.leading.lead import LEAD_TTL_S, FencedError
from pointsman.testing.clock import FakeClock
from pointsman.testing.waiting import PATIENCE_S, wait_until
from tests.support.electing import elected
from tests.support.elections import SharedStore
from tests.support.leading import Scheduler, World, scheduler
from tests.support.pool_state import state, state_of
from tests.support.scheduling import A, attach, offer, report, submission

SCHEDULERS = 2
STEPS = ("elect", "decide", "record", "submit", "report", "cancel")


@dataclass
class Rivals:
    """Schedulers on one log; each decides on what it has folded and records when it likes."""

    world: World = field(default_factory=World)
    leaders: list[Scheduler] = field(default_factory=list[Scheduler])
    decided: list[list[Decided]] = field(default_factory=list[list[Decided]])
    fenced: int = 0
    elections: int = 0

    async def start(self) -> None:
        for _ in range(SCHEDULERS):
            self.leaders.append(await self._elected())
            self.decided.append([])
        await self.leaders[-1].leader.attach(attach(offer(slots=2)))

    async def step(self, name: str, who: int, which: int) -> None:
        """One thing that a scheduler does, whether it leads or not."""
        here = self.leaders[who]
        try:
            match name:
                case "elect":
                    self.leaders[who] = await self._elected()
                case "decide":
                    self.decided[who] = decide_round(here.pool, at=self.world.clock.now)
                case "record":
                    # Others may have been elected since these were decided.
                    decided, self.decided[who] = self.decided[who], []
                    await here.log.record_all(decided)
                case "submit":
                    await self._submit(here)
                case _:
                    await self._end(here, name, which)
        except FencedError:
            self.fenced += 1

    async def _elected(self) -> Scheduler:
        self.elections += 1
        return await scheduler(self.world, holder=f"scheduler {self.elections}")

    async def _submit(self, here: Scheduler) -> None:
        position = await here.store.head()
        answer = await here.submissions.submit(
            submission(command_id=f"order-{position}"), door="command"
        )
        assert isinstance(answer, Accepted | NotLeader)
        self.fenced += isinstance(answer, NotLeader)

    async def _end(self, here: Scheduler, how: str, which: int) -> None:
        tasks = sorted(here.pool.tasks)
        if not tasks:
            return
        task = tasks[which % len(tasks)]
        now = self.world.clock.now
        if how == "report":
            decided = decide_report(here.pool, report(task, 1), at=now, draw=0.5)
        else:
            cancel = CancelTask(command_id="c", task=task, by="cli")
            decided = decide_cancel(here.pool, cancel, at=now)
        if decided is not None:
            await here.log.record(decided)


async def play(steps: list[tuple[str, int, int]]) -> Rivals:
    rivals = Rivals()
    await rivals.start()
    for name, who, which in steps:
        await rivals.step(name, who, which)
    return rivals


STEPS_OF_ALL = st.lists(
    st.tuples(st.sampled_from(STEPS), st.integers(0, SCHEDULERS - 1), st.integers(0, 9)),
    max_size=60,
)


@given(STEPS_OF_ALL)
def test_only_the_latest_leader_writes_and_every_task_ends_at_most_once(
    steps: list[tuple[str, int, int]],
) -> None:
    rivals = asyncio.run(play(steps))

    log = asyncio.run(recorded(rivals))
    epochs = [event.epoch for event in log]
    assert epochs == sorted(epochs)
    assert max(epochs) == rivals.elections
    # An event that its task's state does not allow, as a second end, would raise.
    tasks: dict[UUID, list[Decision]] = {}
    for event in log:
        if event.type.startswith("task."):
            decoded = EventCodec().decode(event.type, bytes(event.data))
            tasks.setdefault(event.stream, []).append(decoded)
    for history in tasks.values():
        state_of(history)


@given(STEPS_OF_ALL)
def test_whoever_does_not_lead_has_folded_the_same_as_who_does(
    steps: list[tuple[str, int, int]],
) -> None:
    rivals = asyncio.run(play(steps))

    one, other = (state(here.pool, rivals.world.clock.now) for here in rivals.leaders)
    assert one == other


async def test_what_an_overtaken_leader_answers_is_that_it_does_not_lead() -> None:
    world = World()
    overtaken = await scheduler(world, holder="here")
    await overtaken.leader.attach(attach(offer()))
    answer = await overtaken.submissions.submit(submission(), door="command")
    assert isinstance(answer, Accepted)
    await scheduler(world, holder="there")
    head = await world.store.head()

    again = await overtaken.submissions.submit(submission(command_id="order-2"), door="command")
    reported = await overtaken.leader.report(report(answer.task, 1))
    with pytest.raises(FencedError):
        await overtaken.leader.cancel(CancelTask(command_id="c", task=answer.task, by="cli"))

    assert isinstance(again, NotLeader)
    assert reported.status == "not_leader"
    assert await world.store.head() == head


async def test_what_an_overtaken_leader_remembers_is_no_answer() -> None:
    world = World()
    overtaken = await scheduler(world, holder="here")
    await scheduler(world, holder="there")
    overtaken.leader.wake()

    settled = await overtaken.leader.report(report(A, 1))
    with pytest.raises(FencedError):
        await overtaken.leader.cancel(CancelTask(command_id="c", task=A, by="cli"))
    refused = await overtaken.submissions.submit(submission(family="nobody"), door="command")

    assert settled.status == "not_leader"
    assert isinstance(refused, NotLeader)


async def test_an_executor_that_knows_a_later_epoch_makes_the_leader_look() -> None:
    clock = FakeClock()
    store = SharedStore(clock)
    world = World(store=store, clock=clock)
    here = await scheduler(world)
    await here.leader.attach(attach(offer()))
    keeping = asyncio.create_task(here.lead.keep())
    await wait_until(lambda: store.renewals == 1)
    clock.passes(LEAD_TTL_S + 1)
    await elected(world.store, "main", "there")
    world.orders.stale = True

    here.dispatch.cancel("executor-1", "first", Lease(task=A, attempt=1))

    with pytest.raises(FencedError):
        await asyncio.wait_for(keeping, timeout=PATIENCE_S)
    await here.dispatch.drain()


async def recorded(rivals: Rivals) -> list[Recorded]:
    return list(await rivals.world.store.read(0, limit=100_000))
