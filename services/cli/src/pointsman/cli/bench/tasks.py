"""`pointsman bench tasks`: from submission to `task.completed` on the feed, measured here and now.

Each mode runs a stack of its own with all services, submits over `pm.cmd` as any client does and
counts a task when its terminal event arrives on `pm.feed`. `noop` is the executor's stand-in: it
shows what the control plane costs. `triton` runs the 1 KB identity model, each task in a call of
its own; `triton_batched` has few slots instead, and tasks that find none free share a call. On
`sqlite` all services share a process, on `postgresql` each has its own, beside a PostgreSQL of the
bench.
"""

import asyncio
import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from typing import Final, Literal, NotRequired, TypedDict
from uuid import uuid4

from nats.aio.client import Client

from pointsman.cli.bench.feed import TaskEnds
from pointsman.cli.bench.readings import Readings
from pointsman.cli.output import counted
from pointsman.cli.stack.accounts import CLI, SCHEDULER, WATCHERS
from pointsman.cli.stack.plan import POOL, StackPlan
from pointsman.cli.stack.project import find_project
from pointsman.cli.stack.record import StackRecord
from pointsman.cli.stack.running import running_stack
from pointsman.cli.time_machine import ask_time_machine
from pointsman.contracts import subjects
from pointsman.contracts.commands import Accepted, Answer, NotLeader, SubmitTask, decode_answers
from pointsman.runtime.nats_client import nats_client
from pointsman.runtime.packing import PackedRequests

Mode = Literal["triton", "triton_batched", "noop"]
MODES: Final[tuple[Mode, ...]] = ("triton", "triton_batched", "noop")

Store = Literal["sqlite", "postgresql"]
STORES: Final[tuple[Store, ...]] = ("sqlite", "postgresql")

PAYLOAD_BYTES: Final = 1024
FAMILY: Final = "identity"
SLOTS: Final = 64
"""As many as clients, so that no task waits for a slot."""
BATCH_SLOTS: Final = 4
"""The executor's default."""
_WARM_UP_TASKS: Final = 200


class ReplayFigures(TypedDict):
    """What `pointsman replay` says of the log, without and with `--verify`."""

    events: int
    decisions: int
    different: int
    fold_events_per_s: float
    """The log folded and nothing else."""
    decisions_per_s: float


class ModeFigures(TypedDict):
    """One mode; `events_per_task` and `feed_lag_max_s` are of its loaded part."""

    mode: str
    store: str
    tasks_per_s: float
    idle_p50_ms: float
    idle_p99_ms: float
    events_per_task: float
    feed_lag_max_s: float
    tasks_per_call: float
    clients: int
    tasks: int
    not_completed: int
    cpu_ms_per_task: dict[str, float]
    """Processor time by part of the stack, of its loaded part."""
    rss_mib: dict[str, list[float]]
    """Memory by part, after 10, 50 and 100 % of the loaded tasks."""
    log_bytes_per_event: float
    """By which the log's file has grown; whole checkpoints, so of many tasks only."""
    replay: NotRequired[ReplayFigures]
    """Of the whole log afterwards, where it is a file."""


class TaskBenchReport(TypedDict):
    """What `-o json` prints."""

    modes: list[ModeFigures]


class BenchFailedError(Exception):
    """A task was refused or its end did not arrive; the stack's logs say why."""

    code = "bench_failed"


class _Load:
    """Submits tasks and waits for their ends."""

    def __init__(self, nc: Client, feed: TaskEnds) -> None:
        self._feed = feed
        self._run = uuid4().hex
        self._count = 0
        self.not_completed = 0
        self._requests: PackedRequests[SubmitTask, Answer] = PackedRequests(
            nc,
            subjects.command("scheduler", "submit", POOL),
            decode_answers=decode_answers,
            is_not_leader=lambda answer: isinstance(answer, NotLeader),
        )

    async def stop(self) -> None:
        await self._requests.stop()

    async def one(self) -> float:
        """Seconds from submission to the terminal event on the feed."""
        self._count += 1
        name = f"{self._run}-{self._count}"
        # Each payload is different, so that the content store has something to store.
        payload = name.encode().ljust(PAYLOAD_BYTES, b".")
        start = time.perf_counter()
        answer = await self._requests.ask(
            SubmitTask(command_id=name, tenant="bench", family=FAMILY, payload=payload)
        )
        if not isinstance(answer, Accepted):
            raise BenchFailedError(str(answer))
        end = await self._feed.end_of(answer.task)
        self.not_completed += end != "task.completed.v1"
        return time.perf_counter() - start

    async def many(
        self, tasks: int, clients: int, done: Callable[[int], None] = lambda _: None
    ) -> float:
        """Tasks per second with so many clients, each waiting for its task before the next.

        `done` is told how many have ended.
        """
        left, ended = iter(range(tasks)), count(1)

        async def client() -> None:
            for _ in left:
                await self.one()
                done(next(ended))

        start = time.perf_counter()
        await asyncio.gather(*(client() for _ in range(clients)))
        return tasks / (time.perf_counter() - start)


async def run_task_bench(
    *,
    modes: Sequence[Mode] = MODES,
    tasks: int = 6_000,
    clients: int = 64,
    idle_tasks: int = 500,
    services: tuple[str, ...] = (SCHEDULER, *WATCHERS),
    store: Store = "sqlite",
    say: Callable[[str], None],
) -> TaskBenchReport:
    """Measure each mode on a stack of its own in a temporary directory.

    Raises `BenchFailedError` and what starting a stack raises.
    """
    figures: list[ModeFigures] = []
    for mode in modes:
        say(f"mode {mode}: starting a stack")
        with tempfile.TemporaryDirectory(prefix="pointsman-bench-") as directory:
            plan = StackPlan(
                data=Path(directory) / "data",
                project=find_project(),
                noop=mode == "noop",
                slots=BATCH_SLOTS if mode == "triton_batched" else SLOTS,
                max_batch=None if mode == "triton_batched" else 1,
                services=services,
                processes=store == "postgresql",
            )
            async with running_stack(plan, say) as stack:
                load = (tasks, clients, idle_tasks)
                figures.append(await _measure(mode, store, stack.record, *load, say))
            if store == "sqlite":
                figures[-1]["replay"] = await _replay(plan.data, say)
    return TaskBenchReport(modes=figures)


async def _measure(
    mode: Mode,
    store: Store,
    record: StackRecord,
    tasks: int,
    clients: int,
    idle_tasks: int,
    say: Callable[[str], None],
) -> ModeFigures:
    nc, feed = await _connect(record), TaskEnds()
    await nc.subscribe(subjects.FEED, cb=feed.take)
    await nc.flush()
    load = _Load(nc, feed)
    try:
        await load.many(_WARM_UP_TASKS, 8)
        say(f"mode {mode}: one client, {counted(idle_tasks, 'task')}")
        idle = sorted([await load.one() for _ in range(idle_tasks)])
        say(f"mode {mode}: {counted(clients, 'client')}, {counted(tasks, 'task')}")
        feed.clear()
        readings = Readings.of(record, tasks)
        per_s = await load.many(tasks, clients, readings.done)
    finally:
        await load.stop()
        await nc.close()
    return ModeFigures(
        mode=mode,
        store=store,
        tasks_per_s=round(per_s, 1),
        idle_p50_ms=round(idle[len(idle) // 2] * 1e3, 2),
        idle_p99_ms=round(idle[int(len(idle) * 0.99)] * 1e3, 2),
        events_per_task=round(feed.events / tasks, 3),
        feed_lag_max_s=round(feed.lag_max_s, 3),
        tasks_per_call=feed.tasks_per_call,
        clients=clients,
        tasks=tasks,
        not_completed=load.not_completed,
        cpu_ms_per_task=readings.cpu_ms_per_task,
        rss_mib=readings.rss_mib,
        log_bytes_per_event=readings.log_bytes_per_event(feed.events),
    )


async def _replay(data: Path, say: Callable[[str], None]) -> ReplayFigures:
    say("folding its log, and making every decision again")
    folded = await ask_time_machine("fold", "--log", data / "log.db", say=say)
    report = await ask_time_machine("replay", "--log", data / "log.db", say=say)
    return ReplayFigures(
        events=report["events"],
        decisions=report["decisions"],
        different=report["different"] + (report["stopped"] is not None),
        fold_events_per_s=folded["fold_events_per_s"],
        decisions_per_s=report["decisions_per_s"],
    )


async def _connect(record: StackRecord) -> Client:
    account = record.accounts[CLI]
    return await nats_client(
        record.nats_url,
        user=account.user,
        password=account.password,
        inbox_prefix=account.inbox_prefix.encode(),
    )
