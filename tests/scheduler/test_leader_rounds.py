"""The leader decides, records, and only then acts."""

import asyncio
from uuid import UUID

import pytest

from pointsman.contracts.commands import Accepted, CancelTask, Done
from pointsman.contracts.events import AttemptLost, TaskCompleted, TaskGranted
from pointsman.contracts.leases import LEASE_TTL_S, Renewal, RunFailed
from pointsman.contracts.task_states import TERMINAL, TaskState, next_state
from pointsman.contracts.topics import EventCodec
from pointsman.scheduler.domain.devices import DeviceStatus
from pointsman.scheduler.domain.rounds.granting import decide_round
from pointsman.scheduler.leading.lead import FencedError
from pointsman.testing.waiting import wait_until
from tests.support.electing import elected
from tests.support.leading import Scheduler, World, leading, scheduler
from tests.support.pool_state import state
from tests.support.scheduling import attach, offer, report, submission

REFUSED = RunFailed(code="unavailable", message="connection refused", retryable=True)


async def submitted(here: Scheduler, command_id: str = "order-1") -> UUID:
    answer = await here.submissions.submit(submission(command_id=command_id), door="command")
    assert isinstance(answer, Accepted)
    return answer.task


async def ends(here: Scheduler, task: UUID) -> list[TaskState]:
    """The terminal states that the stream of a task passes through."""
    codec, reached, found = EventCodec(), TaskState.NEW, list[TaskState]()
    for item in await here.store.read_stream(task):
        reached = next_state(reached, type(codec.decode(item.type, bytes(item.data))))
        found += [reached] if reached in TERMINAL else []
    return found


async def test_a_grant_is_sent_after_its_commit_and_never_before() -> None:
    world = World()
    async with leading(world, slots=3) as here:
        tasks = [await submitted(here, f"order-{n}") for n in range(3)]
        await wait_until(lambda: len(world.orders.grants) == 3)

    positions = {
        event.stream: event.position
        for event in await world.store.read(0)
        if event.type == "task.granted.v1"
    }
    for order, head in zip(world.orders.sent, world.orders.heads, strict=True):
        assert all(positions[grant.task] <= head for grant in order.grants)
    assert {grant.task for grant in world.orders.grants} == set(tasks)


async def test_an_order_carries_what_an_executor_needs() -> None:
    world = World()
    async with leading(world) as here:
        task = await submitted(here)
        await wait_until(lambda: len(world.orders.grants) == 1)

    (order,) = world.orders.sent
    (grant,) = order.grants
    assert (order.pool, order.epoch, order.incarnation) == ("main", 1, "first")
    assert (grant.task, grant.attempt, grant.tenant) == (task, 1, "acme")
    assert (grant.device, grant.variant, grant.run_timeout_s) == ("cpu-0", "fast", 60.0)
    assert await world.blobs.get("acme", grant.payload) == b"some text"


async def test_an_order_is_sent_again_until_it_was_received() -> None:
    world = World()
    world.orders.reachable.clear()
    async with leading(world) as here:
        task = await submitted(here)
        await wait_until(lambda: len(world.orders.grants) >= 3)
        assert {(grant.task, grant.attempt) for grant in world.orders.grants} == {(task, 1)}

        world.orders.reachable.set()
        await wait_until(lambda: not world.orders.under_way)
        sent = len(world.orders.sent)
        here.leader.wake()
        await here.leader.report(report(task, 1))

        assert len(world.orders.sent) == sent
        assert len([e for e in await here.history() if isinstance(e, TaskGranted)]) == 1


async def test_an_order_that_no_longer_matters_is_not_sent_again() -> None:
    world = World()
    world.orders.reachable.clear()
    async with leading(world) as here:
        task = await submitted(here)
        await wait_until(lambda: bool(world.orders.grants))

        await here.leader.report(report(task, 1))
        await wait_until(lambda: not world.orders.under_way)

    assert world.orders.cancels == []


async def test_a_finished_task_makes_room_for_the_next() -> None:
    world = World()
    async with leading(world) as here:
        first = await submitted(here, "order-1")
        second = await submitted(here, "order-2")
        await wait_until(lambda: len(world.orders.grants) == 1)

        answer = await here.leader.report(report(first, 1))
        await wait_until(lambda: len(world.orders.grants) == 2)

    assert answer.status == "recorded"
    assert [grant.task for grant in world.orders.grants] == [first, second]
    assert await ends(here, first) == [TaskState.COMPLETED]


async def test_a_deadline_that_passes_is_noticed_when_the_leader_looks() -> None:
    world = World()
    async with leading(world) as here:
        await submitted(here, "order-1")
        await wait_until(lambda: len(world.orders.grants) == 1)
        late = submission(command_id="order-2", deadline=world.clock.now + 30)
        answer = await here.submissions.submit(late, door="command")
        assert isinstance(answer, Accepted)

        world.clock.passes(31)
        here.leader.wake()
        await wait_until(lambda: answer.task not in here.pool.tasks)

    assert await ends(here, answer.task) == [TaskState.EXPIRED]


async def test_rounds_go_on_when_the_log_is_back() -> None:
    world = World()
    async with leading(world) as here:
        task = await submitted(here)
        await wait_until(lambda: len(world.orders.grants) == 1)
        await here.leader.report(report(task, 1, REFUSED))
        world.store.failure = "disk full"

        world.clock.passes(1)
        here.leader.wake()

        # Lease clocks stand still while the log is away: nobody is absent, however late it is.
        await wait_until(lambda: here.clocks.absent(["executor-1"], now=1e9) == [])
        assert len(world.orders.grants) == 1
        world.store.failure = None
        await wait_until(lambda: len(world.orders.grants) == 2)

    assert [grant.attempt for grant in world.orders.grants] == [1, 2]


async def test_an_executor_that_falls_silent_loses_its_attempts() -> None:
    world = World()
    async with leading(world) as here:
        task = await submitted(here)
        await wait_until(lambda: len(world.orders.grants) == 1)

        world.clock.passes(LEASE_TTL_S + 1)
        await wait_until(lambda: here.pool.tasks[task].lease is None)

        assert here.pool.devices["cpu-0"].status is DeviceStatus.DETACHED
        (lost,) = [event for event in await here.history() if isinstance(event, AttemptLost)]
        assert lost.reason == "lease_expired"
        renewal = Renewal(pool="main", executor="executor-1", incarnation="first")
        await here.leader.renewed(renewal)
        assert here.pool.devices["cpu-0"].status is DeviceStatus.READY


async def test_nobody_is_thought_absent_while_the_bus_is_away() -> None:
    world = World()
    async with leading(world) as here:
        here.leader.connection_changed(connected=False)
        world.clock.passes(3600)
        assert here.clocks.absent(here.pool.executors(), now=world.clock.ticks) == []

        here.leader.connection_changed(connected=True)

        assert here.clocks.absent(here.pool.executors(), now=world.clock.ticks) == []


async def test_a_restarted_leader_goes_on_with_live_leases() -> None:
    world = World()
    async with leading(world) as before:
        running = await submitted(before, "order-1")
        waiting = await submitted(before, "order-2")
        await wait_until(lambda: len(world.orders.grants) == 1)

    async with leading(world) as here:
        assert state(here.pool, world.clock.now)["tasks"] == before.pool.tasks
        assert here.pool.epoch == 2
        assert (await here.leader.report(report(running, 1))).status == "recorded"
        await wait_until(lambda: len(world.orders.grants) == 2)

        assert [grant.task for grant in world.orders.grants] == [running, waiting]
        assert await ends(here, running) == [TaskState.COMPLETED]


async def test_what_is_decided_after_a_restart_is_what_would_have_been_decided() -> None:
    world = World()
    before = await scheduler(world)
    for n in range(5):
        await submitted(before, f"order-{n}")

    here = await scheduler(world)

    assert decide_round(here.pool, at=world.clock.now) == decide_round(
        before.pool, at=world.clock.now
    )


async def test_a_leader_that_was_overtaken_stops() -> None:
    world = World()
    async with leading(world) as overtaken:
        task = await submitted(overtaken)
        await wait_until(lambda: len(world.orders.grants) == 1)
        await elected(world.store, "main", "somebody else")

        with pytest.raises(FencedError) as caught:
            await overtaken.leader.cancel(CancelTask(command_id="c", task=task, by="cli"))

        assert (caught.value.mine, caught.value.actual) == (1, 2)
        assert await ends(overtaken, task) == []


async def test_the_rounds_of_an_overtaken_leader_end_with_the_fence() -> None:
    world = World()
    here = await scheduler(world)
    await here.leader.attach(attach(offer()))
    task = await submitted(here)
    await elected(world.store, "main", "somebody else")

    with pytest.raises(FencedError):
        await asyncio.wait_for(here.leader.run(), timeout=5)

    assert here.pool.tasks[task].lease is None
    assert world.orders.sent == []


async def test_everything_that_happens_at_once_ends_every_task_once() -> None:
    world = World()
    async with leading(world, slots=4) as here:
        tasks = [await submitted(here, f"order-{n}") for n in range(40)]
        cancelled: list[Done] = []

        async def work_off(task: UUID) -> None:
            await wait_until(lambda: here.pool.tasks[task].lease is not None)
            command = CancelTask(command_id="c", task=task, by="cli")
            answers = await asyncio.gather(
                here.leader.cancel(command),
                here.leader.report(report(task, 1)),
                here.leader.cancel(command),
                here.leader.report(report(task, 1)),
            )
            cancelled.extend(answer for answer in answers if isinstance(answer, Done))

        await asyncio.gather(*(work_off(task) for task in tasks))

        for task in tasks:
            assert len(await ends(here, task)) == 1
        assert len(cancelled) == 80
        assert here.pool.tasks == {}
        assert here.pool.queued == 0
        assert here.pool.devices["cpu-0"].occupied == 0
        completed = [e for e in await here.history() if isinstance(e, TaskCompleted)]
        assert len(completed) + sum(a.detail == "cancelled" for a in cancelled) == 40
