"""Commands of operators to the leader: recorded once, answered after the commit, shown in rows."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from uuid import UUID

import msgspec
import pytest
from faststream.nats import NatsBroker, TestNatsBroker

from pointsman.contracts import subjects
from pointsman.contracts.commands import Accepted, Answer, Done, Rejected, decode_answers
from pointsman.contracts.events import ScopeKind, TaskHeld, TaskRekeyed
from pointsman.contracts.message import PriorityClass
from pointsman.contracts.steering import SteeringCommand
from pointsman.eventstore.ports import LogUnavailableError
from pointsman.runtime.broker import build_broker
from pointsman.runtime.settings import NatsSettings
from pointsman.scheduler.domain.why.waits import waits_for
from pointsman.scheduler.handlers import build_steering_router
from pointsman.scheduler.leading.pool_rows import (
    device_rows,
    model_rows,
    pause_rows,
    tenant_rows,
)
from pointsman.scheduler.leading.steering import SteeringDesk
from pointsman.testing.waiting import PATIENCE_S, wait_until
from tests.support.leading import Scheduler, World, leading, scheduler
from tests.support.schedules import loading_offer
from tests.support.scheduling import A, attach, report, submission
from tests.support.steering import (
    WHY,
    boost,
    drain,
    hold,
    limit,
    load,
    move,
    numbered,
    pause,
    release,
    resume,
    set_tenant,
)


@pytest.fixture
async def here() -> AsyncGenerator[Scheduler]:
    async with leading(World()) as running:
        yield running


def desk(here: Scheduler) -> SteeringDesk:
    return SteeringDesk(here.pool, here.log, here.clock)


@asynccontextmanager
async def served(url: str, here: Scheduler, *, real: bool) -> AsyncGenerator[NatsBroker]:
    def fail(error: Exception) -> None:
        raise AssertionError(error)

    broker = build_broker(NatsSettings(url=url), name="scheduler", on_fatal=fail)
    broker.include_router(build_steering_router("main", desk(here)))
    async with TestNatsBroker(broker, with_real=real) as running:
        yield running


async def submitted(here: Scheduler, name: str = "order-1", tenant: str = "acme") -> UUID:
    answer = await here.submissions.submit(
        submission(command_id=name, tenant=tenant), door="command"
    )
    assert isinstance(answer, Accepted)
    return answer.task


async def two_tasks(here: Scheduler) -> tuple[UUID, UUID]:
    """One that runs and one that waits."""
    first = await submitted(here)
    await wait_until(lambda: bool(here.orders.grants))
    return first, await submitted(here, "order-2")


async def test_a_held_task_is_not_sent_to_an_executor_until_it_is_released(here: Scheduler) -> None:
    first, second = await two_tasks(here)

    held = await desk(here).steer(hold(second))
    await here.leader.report(report(first, 1))
    await wait_until(lambda: here.pool.devices["cpu-0"].occupied == 0)

    assert held == Done(detail="held")
    assert waits_for(here.pool, here.pool.tasks[second]) == (
        f"its release: it is held by cli:ada: {WHY}"
    )
    assert len(here.orders.grants) == 1
    await desk(here).steer(release(second, number=2))
    await wait_until(lambda: len(here.orders.grants) == 2)


async def test_a_repeated_command_gets_the_earlier_answer_whatever_came_between(
    here: Scheduler,
) -> None:
    _, second = await two_tasks(here)
    steering = desk(here)

    first = await steering.steer(boost(second, 20.0, number=1))
    await steering.steer(boost(second, 5.0, number=2))
    again = await steering.steer(boost(second, 20.0, number=1))

    assert first == again
    assert isinstance(first, Done)
    assert first.detail.startswith("due 20 s earlier than its class says")
    assert here.pool.tasks[second].boost_s == 5.0
    recorded = [event for event in await here.history() if isinstance(event, TaskRekeyed)]
    assert len(recorded) == 2


async def test_an_id_that_named_another_command_is_refused(here: Scheduler) -> None:
    _, second = await two_tasks(here)
    await desk(here).steer(hold(second, number=7))

    refused = await desk(here).steer(release(second, number=7))

    assert isinstance(refused, Rejected)
    assert refused.code == "id_reused"


async def test_a_load_that_no_device_could_ever_hold_is_refused_at_the_door(
    here: Scheduler,
) -> None:
    small = msgspec.structs.replace(loading_offer("gpu-9"), memory_mib=1.0)
    await here.leader.attach(attach(small, executor="executor-9"))

    answer = await SteeringDesk(here.pool, here.log, here.clock).steer(load("fast", "gpu-9"))

    assert isinstance(answer, Rejected)
    assert answer.code == "not_loadable"
    assert "fast needs 64 MiB" in answer.message
    assert len(here.pool.steering.asks) == 0, "a device would make room for it for ever"


async def test_the_same_wish_at_the_same_time_is_recorded_once(here: Scheduler) -> None:
    _, second = await two_tasks(here)

    answers = await asyncio.gather(
        *(desk(here).steer(hold(second, number=number)) for number in range(5))
    )

    assert {type(answer) for answer in answers} == {Done}
    assert len([event for event in await here.history() if isinstance(event, TaskHeld)]) == 1


async def test_what_cannot_be_recorded_is_not_confirmed(here: Scheduler) -> None:
    _, second = await two_tasks(here)
    here.store.failure = "disk full"

    with pytest.raises(LogUnavailableError):
        await desk(here).steer(hold(second))

    here.store.failure = None
    assert await desk(here).steer(hold(second)) == Done(detail="held")


async def test_steering_and_the_end_of_an_attempt_at_the_same_time_both_count(
    here: Scheduler,
) -> None:
    first, _ = await two_tasks(here)

    answer, reported = await asyncio.gather(
        desk(here).steer(move(first, PriorityClass.BATCH)), here.leader.report(report(first, 1))
    )

    assert reported.status == "recorded"
    assert isinstance(answer, Done | Rejected)
    assert first not in here.pool.tasks


async def test_a_full_tenant_is_refused_and_a_repetition_of_its_last_task_is_not(
    here: Scheduler,
) -> None:
    await two_tasks(here)
    await desk(here).steer(set_tenant("acme", queued=1))

    refused = await here.submissions.submit(submission(command_id="order-3"), door="command")
    again = await here.submissions.submit(submission(command_id="order-2"), door="command")

    assert isinstance(refused, Rejected)
    assert refused.code == "tenant_queue_full"
    assert not isinstance(again, Rejected)


async def test_rows_show_what_operators_asked_for(here: Scheduler) -> None:
    await two_tasks(here)
    await submitted(here, "order-3", tenant="globex")
    steering = desk(here)
    wishes: list[SteeringCommand] = [
        set_tenant("acme", weight=2.0, running=4, queued=9),
        pause(ScopeKind.TENANT, "globex"),
        pause(ScopeKind.FAMILY, "summarize"),
        limit("fast", 3),
        drain(),
    ]
    for number, wish in enumerate(wishes):
        assert isinstance(await steering.steer(numbered(number, wish)), Done)

    acme, globex = tenant_rows(here.pool)
    (fast,) = model_rows(here.pool)
    (cpu,) = device_rows(here.pool)
    tenant_pause, family_pause = pause_rows(here.pool)

    assert (acme.tenant, acme.weight, acme.running, acme.queued) == ("acme", 2.0, 1, 1)
    assert (acme.running_limit, acme.queued_limit, acme.paused) == (4, 9, "")
    assert (globex.tenant, globex.queued, globex.paused) == ("globex", 1, f"cli:ada: {WHY}")
    assert (fast.running, fast.running_limit, fast.paused) == (1, 3, f"cli:ada: {WHY}")
    assert (cpu.state, cpu.reason) == ("draining", f"cli:ada: {WHY}")
    assert (tenant_pause.name, family_pause.name) == ("globex", "summarize")
    assert tenant_pause.position < family_pause.position


async def test_a_device_is_drained_when_nothing_runs_there_any_more(here: Scheduler) -> None:
    first, second = await two_tasks(here)
    await desk(here).steer(drain())
    before = device_rows(here.pool)[0].state

    await here.leader.report(report(first, 1))
    await wait_until(lambda: device_rows(here.pool)[0].state == "drained")

    assert before == "draining"
    words = waits_for(here.pool, here.pool.tasks[second])
    assert words == f"its turn: cpu-0 is drained by cli:ada: {WHY}"


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (pause(ScopeKind.POOL, "main"), "the end of a pause: pool main is paused by cli:ada"),
        (pause(ScopeKind.FAMILY, "summarize"), "its turn: family summarize is paused"),
        (pause(ScopeKind.MODEL, "fast"), "its turn: fast is paused by cli:ada"),
        (pause(ScopeKind.TENANT, "acme"), "its turn: tenant acme is paused by cli:ada"),
        (set_tenant(running=1), "its turn: tenant acme has 1 attempt(s) running, at most 1 may"),
        (limit("fast", 1), "its turn: 1 attempt(s) of fast run, at most 1 may"),
    ],
)
async def test_what_a_task_waits_for_is_told(
    here: Scheduler, command: SteeringCommand, reason: str
) -> None:
    _, second = await two_tasks(here)

    await desk(here).steer(command)

    assert waits_for(here.pool, here.pool.tasks[second]).startswith(reason)


@pytest.mark.parametrize("real", [False, True], ids=["in-memory", "nats-server"])
async def test_packs_of_commands_are_answered_in_order(real: bool, nats_url: str) -> None:
    here = await scheduler(World())
    task = await submitted(here)
    async with served(nats_url, here, real=real) as running:

        async def ask(verb: str, *pack: SteeringCommand) -> list[Answer]:
            subject = subjects.command("scheduler", verb, "main")
            return decode_answers(
                (await running.request(msgspec.json.encode(pack), subject, timeout=PATIENCE_S)).body
            )

        held, missing = await ask("steer_task", hold(task), hold(A, number=2))
        paused, resumed = await ask(
            "steer_pool",
            numbered(3, pause(ScopeKind.POOL, "main")),
            numbered(4, resume(ScopeKind.POOL, "main")),
        )
        (drained,) = await ask("steer_device", drain("absent"))
        (tenant,) = await ask("set_tenant", numbered(5, set_tenant(weight=2.0)))

    assert held == Done(detail="held")
    assert isinstance(missing, Rejected)
    assert missing.code == "task_not_open"
    assert (paused, resumed) == (
        Done(detail="nothing of pool main is granted until it resumes"),
        Done(detail="pool main is granted again"),
    )
    assert isinstance(drained, Rejected)
    assert drained.code == "no_such_device"
    assert tenant == Done(detail="tenant acme: weight 2, any number running, any number waiting")


async def test_a_command_without_a_reason_is_refused_in_words(nats_url: str) -> None:
    here = await scheduler(World())
    async with served(nats_url, here, real=True) as running:
        reply = await running.request(
            b'[{"verb":"hold","command_id":"x","by":"ada","reason":""}]',
            subjects.command("scheduler", "steer_task", "main"),
            timeout=PATIENCE_S,
        )

        (answer,) = decode_answers(reply.body)

    assert isinstance(answer, Rejected)
    assert "reason" in answer.message
