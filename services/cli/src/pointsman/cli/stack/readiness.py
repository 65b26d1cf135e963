"""Ready means: the scheduler answers, and every device of the plan is attached and serves.

One that an operator has drained takes nothing, and the stack is ready all the same.
"""

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Final, cast

from nats.aio.client import Client
from nats.errors import Error as NatsError

from pointsman.cli.stack.accounts import Account
from pointsman.cli.stack.record import DeviceRecord
from pointsman.contracts import subjects
from pointsman.runtime.nats_client import nats_client

_POLL_S: Final = 0.05
_REQUEST_S: Final = 1.0

_SAY_FIRST_S: Final = 4.0
_SAY_AGAIN_S: Final = 10.0

_READY: Final = "ready"
_OUT_OF_SERVICE: Final = frozenset({"drained", "draining"})


async def wait_ready(
    nats_url: str,
    account: Account,
    devices: Sequence[DeviceRecord],
    say: Callable[[str], None],
) -> None:
    """Return when the stack takes work; `say` gets one line per part on the way.

    When that takes long, `say` is told what is missing, again and again.
    """
    waiting = {device.device: device for device in devices}
    missing = ["the scheduler"]
    telling = asyncio.create_task(_tell_what_is_missing(missing, say))
    try:
        await _wait_ready(nats_url, account, waiting, missing, say)
    finally:
        telling.cancel()


async def _tell_what_is_missing(missing: Sequence[str], say: Callable[[str], None]) -> None:
    await asyncio.sleep(_SAY_FIRST_S)
    while True:
        say(f"still waiting for {', '.join(missing)} (Ctrl-C ends this)")
        await asyncio.sleep(_SAY_AGAIN_S)


async def _wait_ready(
    nats_url: str,
    account: Account,
    waiting: dict[str, DeviceRecord],
    missing: list[str],
    say: Callable[[str], None],
) -> None:
    nc = await nats_client(
        nats_url,
        user=account.user,
        password=account.password,
        inbox_prefix=account.inbox_prefix,
        error_cb=_ignore,
    )
    try:
        for name in dict.fromkeys(device.pool for device in waiting.values()):
            missing[:] = [f"the scheduler of pool {name}"]
            row = cast("dict[str, object]", await _answer(nc, "pool", name))
            say(f"scheduler ready: leads pool {name}, log position {row.get('position')}")
        while waiting:
            missing[:] = [f"device {each.device} at {each.endpoint}" for each in waiting.values()]
            rows = [
                row
                for pool in dict.fromkeys(device.pool for device in waiting.values())
                for row in cast("list[dict[str, object]]", await _answer(nc, "devices", pool))
            ]
            for row in rows:
                device = waiting.get(str(row.get("device")))
                # A row of an earlier run of the stack names another endpoint.
                told = _told(row) if device and row.get("endpoint") == device.endpoint else None
                if device and told is not None:
                    del waiting[device.device]
                    say(f"device {device.device} {told}")
            await asyncio.sleep(_POLL_S if waiting else 0)
    finally:
        await nc.close()


def _told(row: dict[str, object]) -> str | None:
    """What is said of a device for which nobody need wait any more; None: it is not there yet."""
    if row.get("state") == _READY:
        variants = ", ".join(cast("list[str]", row.get("variants", [])))
        return f"ready: {variants or 'nothing is loaded yet'}"
    if row.get("state") in _OUT_OF_SERVICE:
        return (
            f"is drained by {row.get('reason')}; it takes nothing until "
            f"`pointsman device undrain {row.get('device')} --reason WHY`"
        )
    return None


async def _answer(nc: Client, verb: str, pool: str) -> object:
    """Ask until there is an answer; the supervisor decides when that takes too long."""
    while True:
        try:
            subject = subjects.query("scheduler", verb, pool)
            reply = await nc.request(subject, b"{}", timeout=_REQUEST_S)
            answer = cast("object", json.loads(reply.data))
        except (NatsError, TimeoutError, ValueError):
            await asyncio.sleep(_POLL_S)
            continue
        # A refusal has a status; whoever refuses now may answer later.
        if not (isinstance(answer, dict) and "status" in answer):
            return cast("object", answer)
        await asyncio.sleep(_POLL_S)


async def _ignore(_error: Exception) -> None:
    """The library prints errors otherwise; a refused connection is tried again anyway."""
