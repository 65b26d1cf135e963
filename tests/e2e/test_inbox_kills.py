"""Tasks from other systems outlive the scheduler and the bus that they are on.

No model is run: the stack has the executor's stand-in (`noop`), since all of this happens before a
task reaches a device.
"""

import asyncio
import json
import time
from pathlib import Path
from typing import Final

import nats.errors
import pytest

from pointsman.cli.stack.plan import SERVICES
from pointsman.cli.stack.supervisor import NATS
from pointsman.contracts.history import judge
from pointsman.contracts.task_states import TaskState
from tests.e2e.desk import TASK
from tests.e2e.live_stack import TENANT, FollowedLog, LiveStack, live_stack, show
from tests.e2e.sender import STRUCTURED, Sender, new_id, sender, structured

PARTS: Final = (SERVICES, NATS)
MESSAGES: Final = 600
PROMISE_S: Final = 20.0
ACCEPTED: Final = "task.accepted.v1"


async def send_until_stored(one: Sender, event_id: str) -> None:
    """As a careful sender does: publish again, under the same id, until the server has said yes."""
    while True:
        try:
            headers = {**STRUCTURED, "Nats-Msg-Id": event_id}
            await one.send(structured(event_id, TASK), headers)
        except (nats.errors.Error, TimeoutError):
            continue
        return


def accepted(log: FollowedLog) -> dict[str, list[float]]:
    """When the tasks of each event id were accepted."""
    found: dict[str, list[float]] = {}
    for event in log.events:
        if event.type == ACCEPTED:
            event_id = str(json.loads(bytes(event.data))["message_id"])
            found.setdefault(event_id, []).append(event.time_us / 1e6)
    return found


async def kill_in_the_middle(stack: LiveStack, part: str, messages: int) -> tuple[int, float]:
    """Kill a part while messages are being taken.

    Gives how many were not accepted then, and after how many seconds the last one was.
    """
    log = stack.log
    async with sender(stack.record, TENANT) as one:
        ids = [new_id() for _ in range(messages)]
        sending = [asyncio.ensure_future(send_until_stored(one, id)) for id in ids]
        await log.wait_for(lambda: bool(accepted(log).keys() & set(ids)))
        killed_at = time.time()
        stack.supervisor.kill(part)
        await log.read_on()
        untouched = len(set(ids) - accepted(log).keys())
        await asyncio.gather(*sending)
        await log.wait_for(lambda: accepted(log).keys() >= set(ids))
    times = accepted(log)
    return untouched, round(max(max(times[id]) for id in ids) - killed_at, 2)


@pytest.mark.slow
async def test_messages_in_the_hands_of_a_killed_part_become_tasks_once(tmp_path: Path) -> None:
    last_accepted_s: dict[str, float] = {}
    untouched: dict[str, int] = {}
    sent = 0
    async with live_stack(tmp_path / "data", noop=True) as stack:
        log = stack.log
        for part in PARTS:
            messages = MESSAGES
            # On a slow day the queue may be empty by the time that we look and kill.
            while not untouched.get(part):
                killed = await kill_in_the_middle(stack, part, messages)
                sent += messages
                messages *= 2
                untouched[part], last_accepted_s[part] = killed
        await log.wait_for(lambda: not judge(log.events).lost)

    verdict = judge(log.events)
    repeated = {id: len(times) for id, times in accepted(log).items() if len(times) > 1}
    show(
        test="inbox kills",
        mode="noop",
        messages=sent,
        ended=verdict.ended,
        not_accepted_when_killed=untouched,
        accepted_twice=len(repeated),
        last_accepted_after_kill_s=last_accepted_s,
        faults=verdict.faults(),
    )
    assert verdict.clean, verdict.faults()
    assert verdict.ended == {TaskState.COMPLETED: sent}
    assert not repeated
    assert max(last_accepted_s.values()) <= PROMISE_S
