"""One run: load, faults at random moments, and then silence until everything has ended."""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

from pointsman.cli.stack.plan import POSTGRES
from pointsman.testing.hung import hung
from tests.chaos.faults import Fault, FaultKind, backend_of, draw_fault, family_of, kill
from tests.chaos.followed import FollowedTasks
from tests.chaos.load import SOURCE, Load
from tests.chaos.options import Options
from tests.chaos.pauses import pause
from tests.chaos.recovery import NOT_RECOVERED_S, Outage, Recoveries
from tests.chaos.stack import ChaosStack

Say = Callable[[str], None]

_QUIET_S: Final = 120.0
_LOOK_S: Final = 0.2
_RUN_MS: Final = 150
_AFTER: Final = 3
"""Tasks sent right behind a fault, so that recovery is measured from the fault on."""
_BEFORE_S: Final = 0.12
"""Within this time after a burst of tasks the fault comes: they are in every stage then."""


@dataclass(slots=True)
class Ran:
    """What happens in a run: what was sent, what became of it, what was done to the stack."""

    load: Load
    tasks: FollowedTasks
    recoveries: Recoveries
    seconds: float = 0.0

    @classmethod
    def of(cls, stack: ChaosStack, options: Options) -> "Ran":
        """Nothing has happened yet."""
        load = Load(
            stack.inboxes,
            stack.commands,
            stack.record.pool,
            draws=random.Random(f"load {options.seed}"),
            run_ms=_RUN_MS if options.triton else 0,
        )
        recoveries = Recoveries(load.sent)
        return cls(load, FollowedTasks(stack.log, SOURCE, recoveries.on_completed), recoveries)

    def may_send(self, options: Options) -> bool:
        return len(self.load.sent) - self.tasks.ended < options.open_tasks

    def at_rest(self) -> bool:
        """Everything is answered and has ended, as far as was read."""
        still = self.load.unanswered or self.tasks.unread or self.tasks.open
        return not still and self.tasks.ended >= sum(bool(s.tasks) for s in self.load.sent.values())


class Chaos:
    """Draws faults and does them, one after the other."""

    def __init__(self, stack: ChaosStack, options: Options, ran: Ran, say: Say) -> None:
        self._stack = stack
        self._options = options
        self._ran = ran
        self._say = say
        self._draws = random.Random(options.seed)

    async def rage(self) -> None:
        """Until the time is over; each fault has recovered before the next one comes."""
        until = time.monotonic() + 60 * self._options.minutes
        while (
            time.monotonic() < until
            and len(self._ran.recoveries.outages) < self._options.most_faults
        ):
            next_at = time.monotonic() + self._options.every_s * self._draws.uniform(0.4, 1.6)
            self._stack.require_alive()
            await self._once(draw_fault(self._draws, sorted(self._stack.record.parts)))
            await pause(next_at - time.monotonic())

    async def _once(self, fault: Fault) -> None:
        for _ in range(self._draws.randrange(self._options.burst + 1)):
            self._ran.load.send_one()
        await pause(self._draws.uniform(0, _BEFORE_S))
        pids = await self._targets(fault)
        outage = Outage(
            number=len(self._ran.recoveries.outages) + 1,
            name=fault.name,
            kills=fault.kills if pids else 0,
            pids=pids,
        )
        completed = self._ran.recoveries.begin(outage)
        work = asyncio.create_task(self._do(fault, outage))
        await pause(0)
        for _ in range(_AFTER):
            self._ran.load.send_one()
        try:
            async with asyncio.timeout(NOT_RECOVERED_S):
                await work
                outage.answered_s = time.time() - outage.at
                await completed.wait()
        except TimeoutError:
            self._say(f"{outage.name} has not recovered within {NOT_RECOVERED_S:g} s")
        self._tell(outage)

    async def _targets(self, fault: Fault) -> dict[str, int]:
        """Processes by the names of their parts; empty while nobody answers who leads."""
        if fault.kind is FaultKind.STOP_LEADER:
            leader = await self._stack.leader()
            return {"leader": leader.pid} if leader is not None and leader.pid else {}
        pids = {part: self._stack.pid_of(part) for part in fault.parts}
        if fault.kind is FaultKind.KILL_BACKEND:
            backend = backend_of(pids[POSTGRES], self._draws)
            return {"backend": backend} if backend is not None else {}
        return pids

    async def _do(self, fault: Fault, outage: Outage) -> None:
        """The outage counts from the last kill on, or from the moment of the stop."""
        match fault.kind:
            case FaultKind.STOP | FaultKind.STOP_LEADER:
                outage.at = time.time()
                await _hang(outage.pids.values(), fault.for_s)
            case FaultKind.KILL_BACKEND:
                outage.at = time.time()
                for backend in outage.pids.values():
                    kill(backend)
            case FaultKind.KILL | FaultKind.KILL_TWO:
                for index, pid in enumerate(outage.pids.values()):
                    if index:
                        await pause(fault.after_s)
                    kill(pid)
                outage.at = time.time()
                await asyncio.gather(
                    *(self._stack.answers(part, pid) for part, pid in outage.pids.items())
                )

    def _tell(self, outage: Outage) -> None:
        load, tasks = self._ran.load, self._ran.tasks
        self._say(
            f"{outage.number:4d} {outage.name:24s} answered {_seconds(outage.answered_s)}"
            f" completed {_seconds(outage.completed_s)}   sent {len(load.sent)}"
            f" unanswered {load.unanswered} ended {tasks.ended} {tasks.unread}"
        )


async def _hang(pids: Iterable[int], seconds: float) -> None:
    """Processes with all their children: those of a database work on without it."""
    with ExitStack() as standing:
        for each in (member for pid in pids for member in family_of(pid)):
            with suppress(ProcessLookupError):
                standing.enter_context(hung(each))
        await pause(seconds)


async def run_chaos(stack: ChaosStack, options: Options, ran: Ran, say: Say) -> None:
    """Load and faults for the time of the options, then wait for every answer and every end."""
    began = time.monotonic()
    await ran.load.listen()
    async with _beside(ran.tasks.follow()):
        async with _beside(ran.load.keep_sending(options.rate, lambda: ran.may_send(options))):
            await Chaos(stack, options, ran, say).rage()
        say("no more tasks and faults; waiting for every answer and every end")
        await _quiet(ran)
    await ran.load.stop()
    ran.seconds = time.monotonic() - began


async def _quiet(ran: Ran) -> None:
    until = time.monotonic() + _QUIET_S
    while time.monotonic() < until and not ran.at_rest():
        await pause(_LOOK_S)


@asynccontextmanager
async def _beside(work: Coroutine[Any, Any, None]) -> AsyncGenerator[None]:
    task = asyncio.get_running_loop().create_task(work)
    try:
        yield
    finally:
        task.cancel()
        (ended,) = await asyncio.gather(task, return_exceptions=True)
        if isinstance(ended, Exception):
            raise ended


def _seconds(value: float | None) -> str:
    return " never " if value is None else f"{value:5.2f} s"
