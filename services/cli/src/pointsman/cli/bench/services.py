"""`pointsman bench services`: what the services beside the scheduler cost, measured here and now.

Pairs of the same load, one after the other, without them and with them: two stacks at a time would
share the processors, and a machine with neighbours is not the same a minute later.
"""

from collections.abc import Callable
from statistics import median
from typing import TypedDict

from pointsman.cli.bench.tasks import Mode, run_task_bench
from pointsman.cli.stack.accounts import SCHEDULER, WATCHERS


class Pair(TypedDict):
    """Tasks per second of one pair, and the processor time of the services' process."""

    without_per_s: float
    with_per_s: float
    ratio: float
    without_cpu_ms_per_task: float
    with_cpu_ms_per_task: float


class ServicesBenchReport(TypedDict):
    """What `-o json` prints."""

    mode: str
    services: list[str]
    pairs: list[Pair]
    median_ratio: float


async def run_services_bench(
    *, mode: Mode, pairs: int, tasks: int, say: Callable[[str], None]
) -> ServicesBenchReport:
    """Raises what `run_task_bench` raises."""
    measured: list[Pair] = []
    for number in range(1, pairs + 1):
        say(f"pair {number} of {pairs}")
        alone, alone_cpu = await _measure(mode, tasks, (SCHEDULER,), say)
        whole, whole_cpu = await _measure(mode, tasks, (SCHEDULER, *WATCHERS), say)
        measured.append(
            Pair(
                without_per_s=alone,
                with_per_s=whole,
                ratio=round(whole / alone, 3),
                without_cpu_ms_per_task=alone_cpu,
                with_cpu_ms_per_task=whole_cpu,
            )
        )
    return ServicesBenchReport(
        mode=mode,
        services=list(WATCHERS),
        pairs=measured,
        median_ratio=round(median(pair["ratio"] for pair in measured), 3),
    )


async def _measure(
    mode: Mode, tasks: int, services: tuple[str, ...], say: Callable[[str], None]
) -> tuple[float, float]:
    report = await run_task_bench(
        modes=(mode,), tasks=tasks, services=services, idle_tasks=1, say=say
    )
    (figures,) = report["modes"]
    return figures["tasks_per_s"], figures["cpu_ms_per_task"]["services"]
