"""The demo from start to end."""

import asyncio
import os
import signal
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

from pointsman.cli.client import StackClient, connected
from pointsman.cli.demo.messages import (
    SPECIAL,
    TENANTS,
    PlannedMessage,
    plan_messages,
    special_cases,
)
from pointsman.cli.demo.outcome import Judged, Outcome, judge_log, outcome_of
from pointsman.cli.demo.sending import Answers, Senders
from pointsman.cli.demo.texts import TooFewTextsError, standard_library_texts
from pointsman.cli.demo.triton_version import version_of
from pointsman.cli.failures import CommandError, ExitCode
from pointsman.cli.feed import FeedBell, whole_log
from pointsman.cli.output import Printer, counted
from pointsman.cli.results import ResultMissingError, read_text
from pointsman.cli.stack.plan import EXECUTOR, StackPlan
from pointsman.cli.stack.project import find_project
from pointsman.cli.stack.record import read_record
from pointsman.cli.stack.running import running_stack
from pointsman.cli.task_rows import ended
from pointsman.contracts.queries import (
    DeadLetterRow,
    ListDeadLetters,
    ListTasks,
    OneTask,
    TaskRow,
    Why,
)
from pointsman.contracts.recorded import Recorded

_DEADLINE_S: Final = 180.0
_LOOK_AGAIN_S: Final = 0.5
_MANY: Final = 1000


@dataclass(frozen=True, slots=True)
class DemoReport:
    """What a run came to, and what it consisted of."""

    outcome: Outcome
    messages: Sequence[PlannedMessage]
    rows: dict[str, TaskRow]
    """By task id."""
    results: dict[str, str]
    """Task id to the text of its result; those that are no text are left out."""
    tasks: dict[str, str]
    """Event id to task id, as the senders were told."""
    dead_letters: Sequence[DeadLetterRow]


async def run_demo(
    tasks: int, printer: Printer, *, attach: tuple[str, ...] = (), noop: bool = False
) -> DemoReport:
    """Run a stack on a temporary directory and send `tasks` messages through it.

    Raises `CommandError`, and what keeps a stack from starting.
    """
    started_at = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="pointsman-demo-") as folder:
        plan = StackPlan(
            Path(folder) / "data", find_project(), attach=attach, tenants=TENANTS, noop=noop
        )
        reading = asyncio.create_task(asyncio.to_thread(_plan, tasks, printer))
        async with running_stack(plan, printer.say), connected(plan.data) as client:
            run = _Run(client, await reading, printer)
            judged = await run.serve()
            return await run.report(judged, started_at)


def _plan(tasks: int, printer: Printer) -> list[PlannedMessage]:
    try:
        texts = standard_library_texts(tasks)
    except TooFewTextsError as error:
        raise CommandError(str(error), code=error.code, exit_code=ExitCode.FAILURE) from error
    left_out = [case for case in SPECIAL if case not in special_cases(tasks)]
    if left_out:
        printer.say(f"no room in {counted(tasks, 'message')} for: {', '.join(left_out)}")
    return plan_messages(texts, f"demo-{uuid4().hex[:8]}")


class _Run:
    """The part of a demo for which its stack runs."""

    def __init__(
        self, client: StackClient, messages: Sequence[PlannedMessage], printer: Printer
    ) -> None:
        self._client = client
        self._messages = messages
        self._printer = printer
        self._answers = Answers()
        self._bell = FeedBell()
        self._log: list[Recorded] = []

    async def serve(self) -> Judged:
        """Return when every accepted task has ended."""
        await self._bell.listen(self._client)
        try:
            async with (
                asyncio.timeout(_DEADLINE_S),
                Senders(self._client.record, self._answers) as senders,
            ):
                await self._send_and_disturb(senders)
                return await self._all_ended()
        except TimeoutError:
            raise CommandError(
                f"not all tasks have ended after {_DEADLINE_S:g} s: {self._answers.count} of "
                f"{counted(len(self._messages), 'message')} answered",
                code="timeout",
                exit_code=ExitCode.TIMEOUT,
                next_step="run pointsman doctor",
            ) from None

    async def report(self, judged: Judged, started_at: float) -> DemoReport:
        """Ask for everything that is told."""
        client = self._client
        rows = await self._final_rows()
        letters = await client.ask(
            "dead_letters", ListDeadLetters(limit=_MANY), list[DeadLetterRow]
        )
        outcome = outcome_of(
            judged,
            submitted=len(self._messages),
            duplicates=self._answers.statuses["duplicate"],
            triton_version=await version_of(client.record),
            nats_version=client.record.nats_version,
            why=await self._richest_history(judged),
            seconds=time.monotonic() - started_at,
        )
        results = await asyncio.to_thread(_texts_of, client.record.data, rows)
        return DemoReport(outcome, self._messages, rows, results, self._answers.tasks, letters)

    async def _send_and_disturb(self, senders: Senders) -> None:
        """Send half, kill the executor while it works, send the rest into its absence."""
        half = (len(self._messages) + 1) // 2
        await senders.send(self._messages[:half])
        await self._some_ended(max(1, half // 3))
        # As an operator would: the process id stands in stack.json.
        record = read_record(self._client.record.data) or self._client.record
        pid = record.parts[EXECUTOR].pid
        os.kill(pid, signal.SIGKILL)
        self._printer.say(f"killed the executor (process {pid}) half-way")
        await senders.send(self._messages[half:])
        self._printer.say(
            f"sent {counted(len(self._messages), 'message')} to pm.inbox.tasks.<tenant>"
        )
        await self._answers.wait_for(len(self._messages))

    async def _some_ended(self, count: int) -> None:
        while sum((await self._judge()).verdict.ended.values()) < count:
            await self._bell.wait(_LOOK_AGAIN_S)

    async def _all_ended(self) -> Judged:
        while (judged := await self._judge()).verdict.lost:
            await self._bell.wait(_LOOK_AGAIN_S)
        events = counted(len(self._log), "event")
        self._printer.say(f"every accepted task has ended; {events} in the log")
        return judged

    async def _judge(self) -> Judged:
        """Read on in the log, then judge all of it."""
        after = self._log[-1].position if self._log else 0
        self._log += [event async for event in whole_log(self._client, after)]
        return judge_log(self._log)

    async def _final_rows(self) -> dict[str, TaskRow]:
        """The view follows the log with a small delay."""
        tasks = set(self._answers.tasks.values())
        while True:
            found = await self._client.ask("tasks", ListTasks(limit=_MANY), list[TaskRow])
            rows = {str(row.task): row for row in found if ended(row)}
            if rows.keys() >= tasks:
                return rows
            await self._bell.wait(_LOOK_AGAIN_S)

    async def _richest_history(self, judged: Judged) -> str:
        """In sentences, for the task with the most events: it has the most to tell."""
        if not judged.events_of:
            return ""
        task = max(judged.events_of, key=lambda task: (judged.events_of[task], task))
        answer = await self._client.ask("why", OneTask(task=UUID(task)), Why)
        return "\n".join(answer.sentences)


def _texts_of(data: Path, rows: dict[str, TaskRow]) -> dict[str, str]:
    texts: dict[str, str] = {}
    for task, row in rows.items():
        try:
            text = read_text(data, row.tenant, row.result) if row.result is not None else None
        except ResultMissingError as error:
            text = f"cannot be read: {error}"
        if text is not None:
            texts[task] = text
    return texts
