"""`pointsman bench overload`: deadline misses with and without degradation, measured here and now.

Each mode runs on a stack of its own with one real Triton. The best variant's capacity is measured
first; then twice as many long texts arrive for a while, each due after 2 s, and a trickle follows
until the stack serves its best again.

- `ladder`: all services; the degradation service moves the pool.
- `per_request`: without that service; the scheduler takes a smaller variant for a task that is due.
- `off`: the senders allow no degradation, so that only the best variant runs.
"""

import asyncio
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypedDict

from pointsman.cli.bench.overloading.judging import OverloadFigures, judge_overload
from pointsman.cli.bench.overloading.load import FAMILY, Load, Sent
from pointsman.cli.bench.overloading.watching import WatchedLog
from pointsman.cli.client import StackClient, connected
from pointsman.cli.stack.accounts import DEGRADATION, SCHEDULER, WATCHERS
from pointsman.cli.stack.plan import DEFAULT_TENANT, StackPlan
from pointsman.cli.stack.project import find_project
from pointsman.cli.stack.running import running_stack
from pointsman.contracts.commands import Accepted
from pointsman.contracts.levels import Level
from pointsman.contracts.message import Degradation
from pointsman.contracts.queries import AskPool, ModelRow

MODES: Final = ("ladder", "per_request", "off")

_TRICKLE: Final = 0.2
"""Share of the best variant's capacity that goes on arriving after the overload."""
_CALIBRATION_TASKS: Final = 40
_BACK_S: Final = 60.0
_ENDED_S: Final = 60.0


class OverloadReport(TypedDict):
    """What `-o json` prints."""

    best: str
    capacity_per_s: float
    """Of the best variant, one task after the other from two clients."""
    modes: list[OverloadFigures]
    misses_ladder_over_off: float | None
    misses_ladder_over_per_request: float | None


async def run_overload_bench(
    *, modes: tuple[str, ...], seconds: float, factor: float, say: Callable[[str], None]
) -> OverloadReport:
    """Raises `CommandError` and what starting a stack raises."""
    figures: list[OverloadFigures] = []
    best, capacity = "", 0.0
    for mode in modes:
        say(f"mode {mode}: starting a stack")
        with tempfile.TemporaryDirectory(prefix="pointsman-bench-") as directory:
            # One task per call, so that the capacity measured with few tasks holds under many.
            plan = StackPlan(
                Path(directory) / "data", find_project(), services=_services(mode), max_batch=1
            )
            async with running_stack(plan, say), connected(plan.data) as client:
                run = _Run(mode, client, say)
                try:
                    best, measured = await run.calibrate()
                    # The same demand for every mode.
                    capacity = capacity or measured
                    figures.append(await run.measure(factor * capacity, seconds))
                finally:
                    await run.stop()
    return OverloadReport(
        best=best,
        capacity_per_s=round(capacity, 2),
        modes=figures,
        misses_ladder_over_off=_ratio(figures, "off"),
        misses_ladder_over_per_request=_ratio(figures, "per_request"),
    )


def _services(mode: str) -> tuple[str, ...]:
    left_out = () if mode == "ladder" else (DEGRADATION,)
    return (SCHEDULER, *(name for name in WATCHERS if name not in left_out))


class _Run:
    """One mode on its stack."""

    def __init__(self, mode: str, client: StackClient, say: Callable[[str], None]) -> None:
        self._mode = mode
        self._client = client
        self._say = say
        self._load = Load(client, tenant=DEFAULT_TENANT)
        self._log = WatchedLog(client)
        self._best = ""

    async def stop(self) -> None:
        await self._load.stop()

    async def calibrate(self) -> tuple[str, float]:
        """The best variant, and how many tasks a second it completes."""
        models = await self._client.ask("models", AskPool(), list[ModelRow])
        self._best = next(model.variant for model in models if model.family == FAMILY)
        await self._log.listen()
        left = iter(range(_CALIBRATION_TASKS))

        async def one_after_the_other() -> None:
            for _ in left:
                answer = await self._load.submit(degradation=Degradation.NONE, model=self._best)
                if isinstance(answer, Accepted):
                    task = answer.task
                    await self._log.until(
                        lambda task=task: self._log.all_ended([task]),
                        timeout_s=_ENDED_S,
                        what="the end of a task",
                    )

        began = time.monotonic()
        await asyncio.gather(one_after_the_other(), one_after_the_other())
        per_s = _CALIBRATION_TASKS / (time.monotonic() - began)
        self._say(f"mode {self._mode}: {self._best} completes {per_s:.1f} tasks/s")
        return self._best, per_s

    async def measure(self, per_s: float, seconds: float) -> OverloadFigures:
        """Overload, then a trickle until the best variant serves again."""
        self._say(f"mode {self._mode}: {per_s:.1f} tasks/s for {seconds:g} s")
        allowed = Degradation.NONE if self._mode == "off" else Degradation.SMALLER_MODEL
        sent = await self._load.at_rate(per_s, seconds, degradation=allowed)
        over_at = time.time()
        await self._recover(per_s * _TRICKLE, sent)
        return judge_overload(
            self._mode,
            self._log,
            sent,
            best=self._best,
            demand_per_s=per_s,
            seconds=seconds,
            over_at=over_at,
        )

    async def _recover(self, per_s: float, sent: Sent) -> None:
        await self._log.until(
            lambda: self._log.all_ended(sent.accepted),
            timeout_s=_ENDED_S,
            what="the end of all tasks",
        )
        if self._mode != "ladder":
            return
        trickle = asyncio.create_task(self._load.at_rate(per_s, _BACK_S))
        try:
            await self._log.until(self._at_normal, timeout_s=_BACK_S, what="the way back to normal")
        finally:
            trickle.cancel()
            await asyncio.gather(trickle, return_exceptions=True)

    def _at_normal(self) -> bool:
        moves = self._log.levels()
        return not moves or moves[-1][1].level is Level.NORMAL


def _ratio(figures: list[OverloadFigures], other: str) -> float | None:
    missed = {figure["mode"]: figure["missed"] for figure in figures}
    if not missed.get(other) or "ladder" not in missed:
        return None
    return round(missed["ladder"] / missed[other], 4)
