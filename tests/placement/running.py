"""The stack that runs a trace: local Tritons whose models only wait, as long as is declared."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final
from uuid import UUID

from pointsman.cli.client import StackClient, connected
from pointsman.cli.stack.accounts import SCHEDULER
from pointsman.cli.stack.plan import DEFAULT_TENANT, DeviceTerms, StackPlan
from pointsman.cli.stack.project import Project
from pointsman.cli.stack.running import running_stack
from pointsman.contracts.commands import SubmitTask
from pointsman.contracts.events import DeviceMode, ResidencyChanged
from pointsman.contracts.queries import ListEvents, ListTasks, TaskRow
from pointsman.contracts.recorded import Recorded
from pointsman.contracts.topics import EventCodec
from pointsman.testing.timed_repository import TimedModel, write_timed_project
from pointsman.time_machine.known_runs import P50_S
from pointsman.time_machine.traces import TracedTask
from tests.chaos.pauses import pause
from tests.placement.trace import DEVICES, Scale

SLACK_S: Final = 600.0
"""After the last arrival, until every task has to have ended."""

_PAGE: Final = 1_000


@dataclass(frozen=True, slots=True)
class Measured:
    """What the log of a stack says of a trace; seconds of the stack."""

    waits_s: tuple[float, ...]
    """Acceptance to the beginning of the run, the load included, one per task."""
    loads: int
    load_s: float
    """Mean, the unload included."""
    late_s: float
    """The longest that a task was submitted after its time."""


async def least_change_s(directory: Path, say: Callable[[str], None]) -> float:
    """How long unloading one stand-in and loading another takes that declares no delay."""
    models = [TimedModel(name, 0.0, 0.01, family=name) for name in ("left", "right")]
    write_timed_project(directory / "project", models)
    async with _stack(directory, 1, say) as client:
        for turn in range(6):
            task = await _submit(client, models[turn % 2].name, 0.01, f"turn-{turn}")
            await _ended(client, {task}, 60.0)
        changes = await _events(client, "device.residency_changed.v1")
    return median(_seconds(change) for change in changes[1:])


async def run_trace(
    trace: Sequence[TracedTask],
    scale: Scale,
    directory: Path,
    *,
    least_s: float,
    say: Callable[[str], None],
) -> Measured:
    """Run a trace; a load's declared delay is what it takes beyond `least_s`."""
    loads = {task.model: scale.shorter(task.load_s) for task in trace}
    guess_s = scale.shorter(P50_S)
    write_timed_project(
        directory / "project",
        [
            TimedModel(name, max(0.0, load_s - least_s), guess_s, family=name)
            for name, load_s in loads.items()
        ],
    )
    _declare(directory / "project", loads)
    async with _stack(directory, DEVICES, say) as client:
        tasks, late_s = await _send(client, trace, scale)
        say(f"{len(tasks)} tasks are in; waiting for the last of them")
        rows = await _ended(client, tasks, SLACK_S)
        changes = await _events(client, "device.residency_changed.v1")
    wrong = [row for row in rows if row.state != "completed"]
    if wrong:
        message = f"{len(wrong)} tasks did not complete, first {wrong[0]}"
        raise RuntimeError(message)
    spent = [_seconds(change) for change in changes]
    return Measured(
        waits_s=tuple(row.queue_s or 0.0 for row in rows),
        loads=len(spent),
        load_s=sum(spent) / len(spent),
        late_s=late_s,
    )


def _declare(project: Path, loads: Mapping[str, float]) -> None:
    """The registry names what a whole change takes, as an operator would have measured it."""
    registry = project / "infra" / "triton" / "registry.toml"
    lines: list[str] = []
    model = ""
    for line in registry.read_text().splitlines():
        if line.startswith("model = "):
            model = line.split('"')[1]
        named = line.startswith("load_s = ")
        lines.append(f"load_s = {loads[model]}" if named else line)
    registry.write_text("\n".join(lines) + "\n")


@asynccontextmanager
async def _stack(
    directory: Path, devices: int, say: Callable[[str], None]
) -> AsyncGenerator[StackClient]:
    plan = StackPlan(
        data=directory / "data",
        project=Project(directory / "project"),
        devices=devices,
        terms=DeviceTerms(DeviceMode.DEDICATED),
        services=(SCHEDULER,),
        slots=1,
        max_batch=1,
    )
    async with running_stack(plan, say), connected(plan.data) as client:
        yield client


async def _send(
    client: StackClient, trace: Sequence[TracedTask], scale: Scale
) -> tuple[set[UUID], float]:
    """Submit every task at its time; the tasks, and how late the latest was."""
    began, late_s = time.monotonic(), 0.0
    sent: list[asyncio.Task[UUID]] = []
    for task in trace:
        due = began + scale.shorter(task.arrival_s)
        await pause(max(0.0, due - time.monotonic()))
        late_s = max(late_s, time.monotonic() - due)
        run_s = scale.shorter(task.service_s)
        name = f"trace-{task.number}"
        sent.append(asyncio.create_task(_submit(client, task.model, run_s, name)))
    return set(await asyncio.gather(*sent)), late_s


async def _submit(client: StackClient, model: str, run_s: float, name: str) -> UUID:
    answer = await client.submit(
        SubmitTask(
            command_id=name,
            tenant=DEFAULT_TENANT,
            family=model,
            payload=name.encode(),
            parameters={"run_s": f"{run_s:.4f}"},
        )
    )
    return answer.task


async def _ended(client: StackClient, tasks: set[UUID], patience_s: float) -> list[TaskRow]:
    until = time.monotonic() + patience_s
    while True:
        rows = await client.ask("tasks", ListTasks(limit=_PAGE), list[TaskRow])
        ended = [row for row in rows if row.task in tasks and row.ended_at is not None]
        if len(ended) == len(tasks):
            return ended
        if time.monotonic() > until:
            message = f"{len(tasks) - len(ended)} tasks have not ended after {patience_s:g} s"
            raise TimeoutError(message)
        await pause(0.5)


async def _events(client: StackClient, topic: str) -> list[Recorded]:
    found: list[Recorded] = []
    while page := await client.ask(
        "events",
        ListEvents(after=found[-1].position if found else 0, limit=_PAGE, topics=(topic,)),
        list[Recorded],
    ):
        found += page
    return found


def _seconds(change: Recorded) -> float:
    event = EventCodec().decode(change.type, bytes(change.data))
    assert isinstance(event, ResidencyChanged)
    return event.load_s + event.unload_s
