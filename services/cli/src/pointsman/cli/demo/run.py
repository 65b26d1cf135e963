"""The demo from start to end."""

import asyncio
import os
import signal
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

from pointsman.cli.client import StackClient, connected
from pointsman.cli.demo.messages import (
    SPECIAL,
    TENANTS,
    Case,
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
from pointsman.cli.output import Printer
from pointsman.cli.stack.plan import EXECUTOR, StackPlan
from pointsman.cli.stack.project import find_project
from pointsman.cli.stack.record import StackRecord, read_record
from pointsman.cli.stack.running import running_stack
from pointsman.contracts.queries import ListTasks, OneTask, TaskRow, Why
from pointsman.contracts.recorded import Recorded

_DEADLINE_S: Final = 180.0
_LOOK_AGAIN_S: Final = 0.5
_TASK_END: Final = "the demo's tasks have not all ended"


class DemoRun:
    """One run with a data directory of its own, which is removed at the end."""

    def __init__(
        self, tasks: int, printer: Printer, *, attach: tuple[str, ...], noop: bool
    ) -> None:
        self._tasks = tasks
        self._printer = printer
        self._attach = attach
        self._noop = noop
        self._answers = Answers()
        self.messages: Sequence[PlannedMessage] = ()
        self.rows: dict[str, TaskRow] = {}
        """Task id to its final row."""

    async def run(self) -> Outcome:
        """Raises `CommandError`, and what keeps a stack from starting."""
        started_at = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="pointsman-demo-") as folder:
            plan = StackPlan(
                Path(folder) / "data",
                find_project(),
                attach=self._attach,
                tenants=TENANTS,
                noop=self._noop,
            )
            reading = asyncio.create_task(asyncio.to_thread(self._read_texts))
            async with running_stack(plan, self._printer.say):
                self.messages = await reading
                record = read_record(plan.data)
                assert record is not None  # noqa: S101 - a stack that runs has written it
                async with connected(plan.data) as client:
                    return await self._serve(client, record, started_at)

    @property
    def answers(self) -> Answers:
        """What the senders were told."""
        return self._answers

    async def _serve(self, client: StackClient, record: StackRecord, started_at: float) -> Outcome:
        bell = FeedBell()
        await bell.listen(client)
        try:
            async with asyncio.timeout(_DEADLINE_S), Senders(record, self._answers) as senders:
                await self._send_and_disturb(senders, client, bell)
                judged = await self._all_ended(client, bell)
        except TimeoutError:
            raise CommandError(
                f"{_TASK_END} after {_DEADLINE_S:g} s: {self._answers.count} of "
                f"{len(self.messages)} messages were answered",
                code="timeout",
                exit_code=ExitCode.TIMEOUT,
                next_step="run pointsman doctor",
            ) from None
        rows = await client.ask("tasks", ListTasks(limit=1000), list[TaskRow])
        self.rows = {str(row.task): row for row in rows}
        return outcome_of(
            judged,
            submitted=len(self.messages),
            duplicates=self._answers.statuses["duplicate"],
            triton_version=await version_of(record),
            nats_version=record.nats_version,
            why=await _why_of_the_richest(client, judged),
            seconds=time.monotonic() - started_at,
        )

    def _read_texts(self) -> list[PlannedMessage]:
        try:
            texts = standard_library_texts(self._tasks)
        except TooFewTextsError as error:
            raise CommandError(str(error), code=error.code, exit_code=ExitCode.FAILURE) from error
        left_out = [case for case in SPECIAL if case not in special_cases(self._tasks)]
        if left_out:
            self._printer.say(f"{self._tasks} task(s) leave no room for: {', '.join(left_out)}")
        return plan_messages(texts, f"demo-{uuid4().hex[:8]}")

    async def _send_and_disturb(
        self, senders: Senders, client: StackClient, bell: FeedBell
    ) -> None:
        """Send half, kill the executor while it works, send the rest into its absence."""
        half = (len(self.messages) + 1) // 2
        await senders.send(self.messages[:half])
        await self._some_ended(client, bell, max(1, half // 3))
        # As an operator would: the process id stands in stack.json.
        record = read_record(client.record.data) or client.record
        pid = record.parts[EXECUTOR].pid
        os.kill(pid, signal.SIGKILL)
        self._printer.say(f"killed the executor (process {pid}) half-way")
        await senders.send(self.messages[half:])
        self._printer.say(f"sent {len(self.messages)} messages to pm.inbox.tasks.<tenant>")
        await self._answers.wait_for(len(self.messages))

    async def _some_ended(self, client: StackClient, bell: FeedBell, count: int) -> None:
        while True:
            log = [event async for event in whole_log(client)]
            if sum(judge_log(log).verdict.ended.values()) >= count:
                return
            await bell.wait(_LOOK_AGAIN_S)

    async def _all_ended(self, client: StackClient, bell: FeedBell) -> Judged:
        while True:
            log: list[Recorded] = [event async for event in whole_log(client)]
            judged = judge_log(log)
            if not judged.verdict.lost:
                self._printer.say(f"every accepted task has ended; {len(log)} events in the log")
                return judged
            await bell.wait(_LOOK_AGAIN_S)


async def _why_of_the_richest(client: StackClient, judged: Judged) -> str:
    """The history of the task with the most events: it has the most to tell."""
    if not judged.events_of:
        return ""
    task = max(judged.events_of, key=lambda task: (judged.events_of[task], task))
    answer = await client.ask("why", OneTask(task=UUID(task)), Why)
    return "\n".join(answer.sentences)


def expected(case: Case) -> str:
    """What a message of a case should come to."""
    return {
        Case.ORDINARY: "completed",
        Case.INFEASIBLE: "expired",
        Case.DUPLICATE: "duplicate",
        Case.MALFORMED: "rejected",
    }[case]
