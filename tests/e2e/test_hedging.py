"""A call that hangs gets company on another device, and whoever comes second is stopped."""

import asyncio
from pathlib import Path
from typing import Final

import msgspec

from pointsman.contracts.events import PolicySet, SlotReleased, TaskCompleted, TaskHedged
from pointsman.contracts.history import judge
from pointsman.contracts.topics import EventCodec
from pointsman.policy.parameters import config_of, read_parameters
from tests.e2e.live_stack import identity_task, live_stack, show

POLICY: Final = "hedge_share = 0.02\n"
QUICK: Final = 80
"""More than the window of run times, and enough to earn a hedge."""

HANGS_S: Final = "2.0"


async def test_a_hanging_call_is_hedged_and_the_loser_stopped(tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text(POLICY)
    stuck = msgspec.structs.replace(identity_task(), parameters={"run_s": HANGS_S})

    async with live_stack(
        tmp_path / "data", noop=True, devices=2, slots=1, max_batch=1, policy=policy
    ) as stack:
        log, codec = stack.log, EventCodec()
        quick = await asyncio.gather(*(stack.submit(identity_task()) for _ in range(QUICK)))
        await log.wait_for_ends(quick)
        task = await stack.submit(stuck)
        await log.wait_for(lambda: any(e.type == "device.slot_released.v1" for e in log.events))

    events = [codec.decode(event.type, bytes(event.data)) for event in log.events]
    (set_,) = [event for event in events if isinstance(event, PolicySet)]
    (hedge,) = [event for event in events if isinstance(event, TaskHedged)]
    (end,) = [
        codec.decode(event.type, bytes(event.data))
        for event in log.of(task)
        if event.type == "task.completed.v1"
    ]
    (released,) = [event for event in events if isinstance(event, SlotReleased)]
    assert isinstance(end, TaskCompleted)
    show(
        test="hedging",
        usual_s=hedge.usual_s,
        waited_s=hedge.waited_s,
        slot_free_after_s=round(released.at - end.at, 3),
    )
    assert set_.config == config_of(read_parameters(POLICY)) == hedge.explanation.config
    assert (hedge.beside, hedge.attempt, end.attempt) == (1, 2, 1)
    assert hedge.device != end.device
    assert hedge.usual_s <= hedge.waited_s < float(HANGS_S) / 2
    assert (released.task, released.attempt, released.reason) == (str(task), 2, "reported")
    assert released.at - end.at < float(HANGS_S) / 2
    assert judge(log.events).clean
