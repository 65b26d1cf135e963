"""Tasks that were sent to the group: each gets one pool, and one task whatever is repeated."""

from dataclasses import dataclass, field

import pytest

from pointsman.contracts.commands import Accepted, Answer, Duplicate, Unavailable
from pointsman.contracts.events import TaskAccepted
from pointsman.contracts.forwarding import ForwardTask
from pointsman.contracts.pool_choice import ChoiceBasis, PoolCandidate, PoolChoice
from pointsman.contracts.telemetry import FamilyLoad, PoolSample
from pointsman.policy.group_load import GroupLoad
from pointsman.policy.pool_choice import STALE_S
from pointsman.scheduler.domain.load import sample_load
from pointsman.scheduler.domain.why.history import sentences
from pointsman.scheduler.domain.why.pools import pool_chosen
from pointsman.scheduler.leading.group_door import GroupDoor
from tests.support.leading import FixedDraws, Scheduler, World, scheduler
from tests.support.scheduling import attach, offer, submission

REQUEST = b"the same wish"
POOLS = ("main", "second")


@dataclass(slots=True)
class Neighbours:
    """Implements `ports.Neighbours` by calls; a pool whose leader is away does not answer."""

    doors: dict[str, GroupDoor] = field(default_factory=dict[str, GroupDoor])
    away: set[str] = field(default_factory=set[str])
    loses_answers: bool = False
    """Whether what comes back is lost on the way."""

    async def forward(self, pool: str, command: ForwardTask) -> Answer | None:
        if pool in self.away:
            return None
        answer = await self.doors[pool].forwarded(command)
        return None if self.loses_answers else answer


@dataclass(slots=True)
class Group:
    """Two pools on one log."""

    leaders: dict[str, Scheduler]
    neighbours: Neighbours
    load: GroupLoad

    def hear(self, waits: dict[str, float | None], *, at: float = 0.0) -> None:
        """What each pool says it would take to start a task; None: it cannot."""
        for pool, wait_s in waits.items():
            self.load.hear(said(pool, wait_s), at=at)

    async def submit(self, door: str, *, command_id: str = "order-1") -> Answer:
        task = submission(command_id=command_id)
        return await self.neighbours.doors[door].submit(task, request=REQUEST)

    async def accepted(self) -> list[TaskAccepted]:
        history = await self.leaders["main"].history()
        return [event for event in history if isinstance(event, TaskAccepted)]


def said(pool: str, wait_s: float | None) -> PoolSample:
    load = FamilyLoad(
        family="summarize", queued=0, accepted=0, best="" if wait_s is None else "fast",
        best_slots=1, best_service_s=0.5, predicted_wait_s=wait_s,
    )  # fmt: skip
    return PoolSample(pool=pool, at=0.0, applied_to=0, queued=0, granted=0, families=(load,))


async def a_group(*, now: float = 0.0) -> Group:
    world, neighbours, load = World(), Neighbours(), GroupLoad()
    leaders = {pool: await scheduler(world, holder=pool, name=pool) for pool in POOLS}
    for pool, here in leaders.items():
        door = GroupDoor(pool, here.submissions, neighbours, load, FixedDraws(0.0), now=lambda: now)
        neighbours.doors[pool] = door
    return Group(leaders, neighbours, load)


@pytest.mark.parametrize("door", POOLS)
async def test_the_pool_with_the_smaller_wait_gets_it_whoever_pulled_the_message(
    door: str,
) -> None:
    group = await a_group()
    group.hear({"main": 3.0, "second": 1.0})

    answer = await group.submit(door)

    (accepted,) = await group.accepted()
    assert isinstance(answer, Accepted)
    assert accepted.pool == "second"
    assert list(group.leaders["second"].pool.tasks) == [answer.task]
    assert not group.leaders["main"].pool.tasks
    assert accepted.pool_choice is not None
    assert [each.wait_s for each in accepted.pool_choice.candidates] == [3.0, 1.0]


async def test_a_repetition_gets_the_same_task_whichever_pool_is_chosen_then() -> None:
    group = await a_group()
    group.hear({"main": 1.0, "second": 3.0})
    first = await group.submit("main")
    group.hear({"main": 3.0, "second": 1.0})

    again = await group.submit("second")

    assert isinstance(first, Accepted)
    assert isinstance(again, Duplicate)
    assert again.task == first.task
    assert len(await group.accepted()) == 1


async def test_a_pool_that_is_away_leaves_it_to_the_other_which_says_so() -> None:
    group = await a_group()
    group.hear({"main": 3.0, "second": 1.0})
    group.neighbours.away.add("second")

    answer = await group.submit("main")

    (accepted,) = await group.accepted()
    assert isinstance(answer, Accepted)
    assert accepted.pool == "main"
    told = " ".join(sentences([accepted]))
    assert "Pool second was better off" in told
    assert "so pool main was asked: it did not answer in time" in told


async def test_an_answer_that_was_lost_does_not_make_a_second_task() -> None:
    group = await a_group()
    group.hear({"main": 3.0, "second": 1.0})
    group.neighbours.loses_answers = True

    answer = await group.submit("main")

    (accepted,) = await group.accepted()
    assert accepted.pool == "second"
    assert isinstance(answer, Duplicate)


async def test_a_silence_and_then_a_refusal_is_no_answer() -> None:
    group = await a_group()
    group.hear({"main": 3.0, "second": 1.0})
    group.neighbours.away.add("second")

    answer = await group.neighbours.doors["main"].submit(submission(payload=None), request=REQUEST)

    assert isinstance(answer, Unavailable)
    assert "pool second did not say" in answer.message


async def test_alone_it_chooses_nothing() -> None:
    group = await a_group()
    group.hear({"main": 3.0})

    await group.submit("main")

    (accepted,) = await group.accepted()
    assert (accepted.pool, accepted.pool_choice) == ("main", None)


async def test_a_pool_that_was_silent_for_long_gets_nothing() -> None:
    group = await a_group(now=STALE_S + 1.0)
    group.hear({"second": 0.0}, at=0.0)
    group.hear({"main": 9.0}, at=STALE_S + 1.0)

    await group.submit("main")

    (accepted,) = await group.accepted()
    assert accepted.pool == "main"


async def test_a_burst_between_two_readings_is_spread() -> None:
    group = await a_group()
    group.hear({"main": 0.0, "second": 1.0})

    for number in range(20):
        await group.submit("main", command_id=f"order-{number}")

    pools = [event.pool for event in await group.accepted()]
    assert pools.count("main") == 11
    assert pools.count("second") == 9


async def test_each_pool_folds_its_own_tasks_and_devices_alone() -> None:
    group = await a_group()
    main, second = (group.leaders[pool] for pool in POOLS)
    await main.leader.attach(attach(offer("gpu-0")))
    await second.leader.attach(attach(offer("gpu-1"), executor="executor-2"))
    group.hear({"main": 0.0, "second": 1.0})
    answer = await group.submit("second")

    await second.grant()
    await main.grant()

    assert isinstance(answer, Accepted)
    assert (list(main.pool.devices), list(second.pool.devices)) == (["gpu-0"], ["gpu-1"])
    assert list(main.pool.tasks) == [answer.task]
    assert not second.pool.tasks
    assert sample_load(main.pool, at=0.0).granted == 1
    assert sample_load(second.pool, at=0.0).granted == 0
    assert not main.broken + second.broken


@pytest.mark.parametrize(
    ("choice", "told"),
    [
        (
            PoolChoice(chosen="second", basis=ChoiceBasis.ONLY, pools=2, candidates=()),
            "Pool second was named for it.",
        ),
        (
            PoolChoice(
                chosen="second",
                basis=ChoiceBasis.LOAD,
                pools=1,
                candidates=(PoolCandidate(pool="second", wait_s=0.5, age_s=0.9),),
            ),
            "Pool second alone could take it: second (500 ms to wait, 900 ms old).",
        ),
        (
            PoolChoice(
                chosen="second",
                basis=ChoiceBasis.UNKNOWN,
                pools=2,
                candidates=(PoolCandidate(pool="main"), PoolCandidate(pool="second")),
            ),
            "Pool second was drawn of 2: none was known to have a device for it.",
        ),
    ],
)
def test_the_history_says_what_a_choice_stood_on(choice: PoolChoice, told: str) -> None:
    assert pool_chosen(choice) == [told]
