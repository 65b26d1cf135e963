"""The demo of the services from start to end, on a running stack or on one of its own."""

import asyncio
import tempfile
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID

from pointsman.cli.bench.overloading.judging import back_at_normal, levels_seen
from pointsman.cli.bench.overloading.load import FAMILY, Load, Sent
from pointsman.cli.bench.overloading.watching import WatchedLog
from pointsman.cli.client import StackClient, connected
from pointsman.cli.failures import CommandError, ExitCode
from pointsman.cli.feed import head
from pointsman.cli.output import Printer
from pointsman.cli.services_demo.conversation import Talk, hold_conversation
from pointsman.cli.services_demo.desk import Desk
from pointsman.cli.services_demo.preference import Turned, turn_preference
from pointsman.cli.stack.plan import DEFAULT_TENANT, StackPlan
from pointsman.cli.stack.project import find_project
from pointsman.cli.stack.running import running_stack
from pointsman.contracts.commands import Accepted
from pointsman.contracts.history import judge
from pointsman.contracts.levels import Level
from pointsman.contracts.message import Degradation
from pointsman.contracts.queries import AskPool, ModelRow

OVERLOAD_S: Final = 15.0
OVERLOAD: Final = 4.0
"""Times what the best variant carries."""

MIN_QUALITY: Final = 0.7
"""What the senders insist on: it leaves one variant below the best."""

_TRICKLE_PER_S: Final = 2.0
_SHORT_CHARS: Final = 1_000
"""Texts that the best variant summarises at once, so that the latency shows the recovery."""
_CALIBRATION_TASKS: Final = 16
_RECOVERY_S: Final = 120.0


@dataclass(frozen=True, slots=True)
class Overload:
    """What the overload came to."""

    capacity_per_s: float
    sent: Sent
    degraded: int
    missed: int
    """Of what was sent: not completed, so expired or refused."""
    alerts_raised: int
    alerts_cleared: int
    levels: list[str]
    back_to_best_s: float | None
    why: str


@dataclass(frozen=True, slots=True)
class ServicesReport:
    """What the whole demo came to."""

    talk: Talk
    overload: Overload
    turned: Turned
    lost: int
    duplicate_results: int

    @property
    def as_promised(self) -> bool:
        """Whether everything that the demo is about has happened."""
        return (
            self.talk.reused
            and self.overload.alerts_raised > 0
            and self.overload.alerts_cleared == self.overload.alerts_raised
            and Level.DEGRADE in self.overload.levels
            and self.overload.degraded > 0
            and self.overload.back_to_best_s is not None
            and self.turned.before != self.turned.after
            and not self.lost
            and not self.duplicate_results
        )

    def document(self) -> dict[str, object]:
        """The one line of `-o json`, in its documented order."""
        why = (self.talk.why, self.overload.why, self.turned.why)
        return {
            "context_reused": self.talk.reused,
            "alerts_raised": self.overload.alerts_raised,
            "alerts_cleared": self.overload.alerts_cleared,
            "levels_seen": self.overload.levels,
            "degraded": self.overload.degraded,
            "back_to_best_s": self.overload.back_to_best_s,
            "preference_before": self.turned.before,
            "preference_after": self.turned.after,
            "lost": self.lost,
            "duplicate_results": self.duplicate_results,
            "why": "\n\n".join(why),
        }


async def run_services_demo(data: Path | None, printer: Printer) -> ServicesReport:
    """On the stack that runs on `data`, or on one of its own. Raises `CommandError`."""
    async with _stack(data, printer) as client:
        log = WatchedLog(client, await head(client))
        await log.listen()
        desk = Desk(client, log, DEFAULT_TENANT)
        printer.say("a conversation of three turns")
        talk = await hold_conversation(desk)
        printer.say("an overload")
        overload = await _overload(desk, printer)
        printer.say("ratings")
        turned = await turn_preference(desk)
        await log.read_on()
        verdict = judge(log.events)
        return ServicesReport(
            talk, overload, turned, len(verdict.lost), len(verdict.duplicate_results)
        )


@asynccontextmanager
async def _stack(data: Path | None, printer: Printer) -> AsyncGenerator[StackClient]:
    if data is not None:
        async with connected(data) as client:
            yield client
        return
    with tempfile.TemporaryDirectory(prefix="pointsman-demo-") as folder:
        # One task per call, so that what is measured with few tasks holds under many.
        plan = StackPlan(Path(folder) / "data", find_project(), max_batch=1)
        async with running_stack(plan, printer.say), connected(plan.data) as client:
            yield client


async def _overload(desk: Desk, printer: Printer) -> Overload:
    load = Load(desk.client, tenant=desk.tenant, min_quality=MIN_QUALITY)
    try:
        best, per_s = await _capacity(desk, load)
        printer.say(f"{best} completes {per_s:.1f} long texts/s; {OVERLOAD:g} times as many arrive")
        sent = await load.at_rate(OVERLOAD * per_s, OVERLOAD_S)
        over_at = time.time()
        trickle = asyncio.create_task(load.at_rate(_TRICKLE_PER_S, _RECOVERY_S, chars=_SHORT_CHARS))
        try:
            await _recovered(desk, sent)
        finally:
            trickle.cancel()
            await asyncio.gather(trickle, return_exceptions=True)
    finally:
        await load.stop()
    return await _told(desk, sent, best, per_s, over_at)


async def _capacity(desk: Desk, load: Load) -> tuple[str, float]:
    models = await desk.client.ask("models", AskPool(), list[ModelRow])
    best = next((model.variant for model in models if model.family == FAMILY), None)
    if best is None:
        raise CommandError(
            f"this stack serves no variant of {FAMILY}",
            code="demo_impossible",
            exit_code=ExitCode.FAILURE,
            next_step="run the demo without --data, on a stack of its own",
        )
    began = time.monotonic()
    for _ in range(_CALIBRATION_TASKS):
        answer = await load.submit(degradation=Degradation.NONE, model=best)
        if isinstance(answer, Accepted):
            await desk.completed(answer.task)
    return best, _CALIBRATION_TASKS / (time.monotonic() - began)


async def _recovered(desk: Desk, sent: Sent) -> None:
    def over() -> bool:
        moves = desk.log.levels()
        return (
            desk.log.all_ended(sent.accepted)
            and bool(moves)
            and moves[-1][1].level is Level.NORMAL
            and len(desk.log.raised()) == len(desk.log.cleared())
        )

    await desk.log.until(over, timeout_s=_RECOVERY_S, what="the way back to normal without alerts")


async def _told(desk: Desk, sent: Sent, best: str, per_s: float, over_at: float) -> Overload:
    moves = [move for _, move in desk.log.levels()]
    smaller = [
        event.stream
        for event, done in desk.log.completed()
        if event.stream in sent.accepted and done.variant != best
    ]
    return Overload(
        capacity_per_s=round(per_s, 2),
        sent=sent,
        degraded=len(smaller),
        missed=sent.count - sum(event.stream in sent.accepted for event, _ in desk.log.completed()),
        alerts_raised=len(desk.log.raised()),
        alerts_cleared=len(desk.log.cleared()),
        levels=levels_seen(moves),
        back_to_best_s=back_at_normal(moves, over_at),
        why=await desk.why(_degraded_task(desk, smaller)) if smaller else "",
    )


def _degraded_task(desk: Desk, smaller: list[UUID]) -> UUID:
    """One whose grant names the ladder, if there is one."""
    chosen = set(smaller)
    for event, granted in desk.log.granted():
        if event.stream in chosen and granted.explanation.causes:
            return event.stream
    return smaller[-1]
