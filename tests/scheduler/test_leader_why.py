"""`task why` reads what stood around a task while it waited, and nothing where it did not wait."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

import pytest
from msgspec.structs import replace

from pointsman.contracts.commands import Accepted, CancelTask, Done
from pointsman.contracts.events import DrainStarted, ScopeKind, TaskAccepted
from pointsman.contracts.queries import Why
from pointsman.contracts.recorded import Recorded
from pointsman.contracts.steering import NO_LIMIT, SteeringCommand
from pointsman.contracts.streams import stream_id
from pointsman.contracts.topics import EventCodec
from pointsman.scheduler.domain.why.around import Around
from pointsman.scheduler.leading.around_task import DEVICES, EVENTS, AroundTask
from pointsman.scheduler.leading.questions import Questions
from pointsman.scheduler.leading.steering import SteeringDesk
from pointsman.testing.memory_event_store import MemoryEventStore
from tests.scheduler.test_leader_questions import FakeViews
from tests.support.leading import Scheduler, World, scheduler
from tests.support.scheduling import NOON, accepted, attach, offer, report, submission
from tests.support.steering import (
    WHY,
    drain,
    limit,
    numbered,
    pause,
    resume,
    set_tenant,
    undrain,
)

PAUSED = pause(ScopeKind.TENANT, "acme")
RESUMED = resume(ScopeKind.TENANT, "acme")


@dataclass
class WatchedStore(MemoryEventStore):
    """A store that remembers which streams were read, and from which version on."""

    read_streams: list[tuple[UUID, int]] = field(default_factory=list[tuple[UUID, int]])

    def __init__(self) -> None:
        super().__init__()
        self.read_streams = []

    async def read_stream(self, stream: UUID, *, after: int = 0) -> Sequence[Recorded]:
        self.read_streams.append((stream, after))
        return await super().read_stream(stream, after=after)


@pytest.fixture
async def here() -> Scheduler:
    return await scheduler(World(store=WatchedStore()))


async def submitted(here: Scheduler, name: str = "order-1", after: tuple[UUID, ...] = ()) -> UUID:
    task = replace(submission(command_id=name), depends_on=after)
    answer = await here.submissions.submit(task, door="command")
    assert isinstance(answer, Accepted)
    return answer.task


async def steer(here: Scheduler, number: int, command: SteeringCommand) -> None:
    desk = SteeringDesk(here.pool, here.log, here.clock)
    assert isinstance(await desk.steer(numbered(number, command)), Done)


async def why(here: Scheduler, task: UUID) -> Why:
    questions = Questions(
        here.pool,
        here.store,
        EventCodec(),
        FakeViews(),
        feed_position=lambda: 2,
        pid=4242,
        now=here.clock.wall,
    )
    answer = await questions.why(task)
    assert answer is not None
    return answer


async def test_pauses_limits_and_drains_of_its_time_are_told_with_their_positions(
    here: Scheduler,
) -> None:
    await here.leader.attach(attach(offer("cpu-0")))
    await steer(here, 1, PAUSED)
    task = await submitted(here)
    here.clock.passes(300)
    for number, command in enumerate((RESUMED, drain(), limit("fast", 3), undrain()), start=2):
        await steer(here, number, command)
        here.clock.passes(1)
    await here.grant()

    told = await why(here, task)

    in_the_way = [line for line in told.sentences if line.startswith(("Kept back", "From"))]
    assert in_the_way == [
        f"Kept back from 12:00:00.000 to 12:05:00.000: tenant acme was paused by cli:ada: {WHY}.",
        f"From 12:05:01.000 to 12:05:03.000: cpu-0 was drained by cli:ada: {WHY}.",
        (
            "From 12:05:02.000 on: at most 3 attempt(s) of fast might run, a limit that "
            f"cli:ada had set: {WHY}."
        ),
    ]
    around = [event.type for event in await here.store.read(0) if event.position in told.around]
    assert around == [
        "pool.paused.v1",
        "pool.resumed.v1",
        "device.drain_started.v1",
        "pool.model_limited.v1",
        "device.drain_ended.v1",
    ]
    assert not {*told.around} & {*told.positions}


async def test_a_limit_that_was_used_up_says_when(here: Scheduler) -> None:
    await here.leader.attach(attach(offer(slots=2)))
    await steer(here, 1, set_tenant(running=1))
    await steer(here, 2, limit("fast", 2))
    first = await submitted(here)
    second = await submitted(here, "order-2")
    here.clock.passes(2)
    await here.grant()
    here.clock.passes(60)
    await here.leader.report(report(first, 1))
    await here.grant()

    told = await why(here, second)

    assert (
        "From 12:00:00.000 on: at most 1 attempt(s) of tenant acme might run, a limit that "
        f"cli:ada had set: {WHY}; so many ran at 12:00:02.000."
    ) in told.sentences
    (of_model,) = [line for line in told.sentences if "attempt(s) of fast might run" in line]
    assert "so many ran" not in of_model


async def test_nothing_is_read_about_a_task_that_did_not_wait(here: Scheduler) -> None:
    await here.leader.attach(attach(offer()))
    await steer(here, 1, set_tenant(running=3))
    task = await submitted(here)
    await here.grant()
    assert isinstance(here.store, WatchedStore)
    here.store.read_streams.clear()

    told = await why(here, task)

    assert here.store.read_streams == [(task, 0)]
    assert told.around == ()


async def test_a_task_that_awaits_another_waits_from_the_end_of_that_on(here: Scheduler) -> None:
    await here.leader.attach(attach(offer()))
    first = await submitted(here)
    await here.grant()
    second = await submitted(here, "order-2", after=(first,))
    await steer(here, 1, PAUSED)
    here.clock.passes(60)
    await steer(here, 2, RESUMED)
    here.clock.passes(60)
    await here.leader.report(report(first, 1))
    here.clock.passes(60)

    told = await why(here, second)

    assert not any("paused" in line for line in told.sentences)


async def test_a_dependency_is_told_with_when_it_completed_and_what_was_waited_since(
    here: Scheduler,
) -> None:
    await here.leader.attach(attach(offer(slots=2)))
    first = await submitted(here)
    await here.grant()
    second = await submitted(here, "order-2", after=(first,))
    here.clock.passes(60)
    before = await why(here, second)
    await here.leader.report(report(first, 1))
    here.clock.passes(2)
    await here.grant()
    await here.leader.report(report(second, 1))

    told = await why(here, second)

    assert (
        f"It depends on 1 task(s), of which 0 had completed then: it waits for task {first}."
    ) in before.sentences
    assert (
        f"It depends on 1 task(s), of which 0 had completed then: task {first} completed at "
        "12:01:00.000."
    ) in told.sentences
    assert any("granted to fast on cpu-0 after 2 s" in line for line in told.sentences)
    assert any("completed by fast on cpu-0: waited 2 s" in line for line in told.sentences)


async def test_a_task_that_ended_before_its_dependency_waits_for_nothing_any_more(
    here: Scheduler,
) -> None:
    first = await submitted(here)
    second = await submitted(here, "order-2", after=(first,))
    cancel = CancelTask(command_id="c", task=second, by="ada")
    assert isinstance(await here.leader.cancel(cancel), Done)

    told = await why(here, second)

    assert (
        f"It depends on 1 task(s), of which 0 had completed then: task {first} had not ended when "
        "it did."
    ) in told.sentences


async def test_the_reason_of_a_limit_is_of_who_set_that_and_no_other_one(here: Scheduler) -> None:
    await here.leader.attach(attach(offer()))
    await steer(here, 1, set_tenant(running=0))
    task = await submitted(here)
    await steer(here, 2, replace(set_tenant(queued=9), reason="few are enough"))
    here.clock.passes(60)

    told = await why(here, task)
    await steer(here, 3, replace(set_tenant(running=NO_LIMIT), reason="all is well"))
    here.clock.passes(60)
    over = await why(here, task)

    (limited,) = [line for line in told.sentences if "might run" in line]
    assert limited.endswith(f"a limit that cli:ada had set: {WHY}.")
    assert told.waits_for is not None
    assert told.waits_for.endswith(f"at most 0 may (set by cli:ada: {WHY})")
    (limited,) = [line for line in over.sentences if "might run" in line]
    assert limited.startswith("From 12:00:00.000 to 12:01:00.000: at most 0 attempt(s)")


async def test_of_a_long_stream_its_last_events_are_read(here: Scheduler) -> None:
    await here.leader.attach(attach(offer()))
    device, store = stream_id("device", "cpu-0"), here.store
    assert isinstance(store, WatchedStore)
    here.pool.versions[device] = EVENTS + 7

    await around(here, accepted())

    assert (device, 7) in store.read_streams


async def test_what_was_left_out_of_a_stream_is_told_with_its_position(here: Scheduler) -> None:
    await here.leader.attach(attach(offer()))
    task = await submitted(here)
    for number in range(4):
        await steer(here, 2 * number, drain())
        await steer(here, 2 * number + 1, undrain())
    here.clock.passes(60)
    here.pool.versions[stream_id("device", "cpu-0")] = EVENTS + 5

    told = await why(here, task)

    assert told.sentences[-1].startswith("Not all that devices did before position ")
    assert "cpu-0 was not attached" not in " ".join(told.sentences)


async def test_a_drain_that_goes_on_is_told_however_long_ago_it_began(here: Scheduler) -> None:
    await here.leader.attach(attach(offer()))
    await steer(here, 1, drain())
    here.pool.versions[stream_id("device", "cpu-0")] = EVENTS + 2

    found = await around(here, accepted())

    assert [type(each.event) for each in found.noted] == [DrainStarted]


async def test_of_many_devices_some_are_looked_at_and_all_are_counted(here: Scheduler) -> None:
    offers = [offer(f"cpu-{number}") for number in range(DEVICES + 3)]
    others = [offer("other", variants=("label",))]
    await here.leader.attach(attach(*offers, *others))

    found = await around(here, accepted())

    assert (found.devices, found.looked_at) == (DEVICES + 3, DEVICES)


async def test_of_a_task_of_another_pool_no_device_is_looked_at(here: Scheduler) -> None:
    await here.leader.attach(attach(offer()))

    found = await around(here, replace(accepted(), pool="second"))

    assert (found.devices, found.noted) == (0, ())


async def around(here: Scheduler, task: TaskAccepted) -> Around:
    """What is read about a task that has waited for a minute."""
    reading = AroundTask(here.pool, here.store, EventCodec())
    return await reading.read(UUID(int=1), [task], [here.pool.applied_to], now=NOON + 60)
