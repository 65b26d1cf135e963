"""A stack of real child processes inside a test, with its clients and its log beside it."""

import json
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final
from uuid import UUID, uuid4

from nats.aio.client import Client

from pointsman.cli.client import StackClient
from pointsman.cli.stack.accounts import CLI
from pointsman.cli.stack.plan import POOL, DeviceTerms, StackPlan
from pointsman.cli.stack.project import find_project
from pointsman.cli.stack.record import StackRecord
from pointsman.cli.stack.running import running_stack
from pointsman.cli.stack.supervisor import Supervisor
from pointsman.contracts import subjects
from pointsman.contracts.commands import Accepted, Answer, NotLeader, SubmitTask, decode_answers
from pointsman.contracts.events import DeviceMode
from pointsman.contracts.recorded import Recorded
from pointsman.eventstore.log_reader import SqliteLogReader
from pointsman.runtime.nats_client import nats_client
from pointsman.runtime.packing import PackedRequests
from pointsman.testing import wait_until
from pointsman.time_machine.replay.report import verify_log

TENANT: Final = "acme"
ENDS: Final = frozenset(
    f"task.{end}.v1" for end in ("completed", "failed", "cancelled", "expired", "shed", "abandoned")
)
GRANTED: Final = "task.granted.v1"
COMPLETED: Final = "task.completed.v1"

_PATIENCE_S: Final = 60.0
_WAIT_S: Final = 60.0


def show(**figures: object) -> None:
    """One JSON line for people and scripts; `pytest -s` lets it through."""
    # The line starts behind the dots of pytest otherwise.
    print("\n" + json.dumps(figures), flush=True)  # noqa: T201 - figures are for whoever watches


class FollowedLog:
    """The log of a stack, read from its file as another process may."""

    def __init__(self, reader: SqliteLogReader) -> None:
        self.events: list[Recorded] = []
        self._reader = reader
        self._of: defaultdict[UUID, list[Recorded]] = defaultdict(list)

    def of(self, stream: UUID) -> list[Recorded]:
        return self._of[stream]

    def topics_of(self, stream: UUID) -> list[str]:
        return [event.type for event in self._of[stream]]

    def ended(self, tasks: Iterable[UUID]) -> bool:
        return all(any(event.type in ENDS for event in self._of[task]) for task in tasks)

    def running(self, tasks: Iterable[UUID]) -> list[UUID]:
        """Those whose last event is a grant."""
        return [task for task in tasks if self.topics_of(task)[-1:] == [GRANTED]]

    async def read_on(self) -> None:
        """Take what was appended since the last time."""
        after = self.events[-1].position if self.events else 0
        while page := await self._reader.read(after):
            for event in page:
                self._of[event.stream].append(event)
            self.events += page
            after = page[-1].position

    async def wait_for(
        self, condition: Callable[[], bool], *, timeout_s: float = _WAIT_S, message: str = ""
    ) -> None:
        """Read until `condition` holds of what was read."""

        async def holds() -> bool:
            await self.read_on()
            return condition()

        await wait_until(holds, timeout_s=timeout_s, message=message)

    async def wait_for_ends(self, tasks: Iterable[UUID], *, timeout_s: float = _WAIT_S) -> None:
        waited = list(tasks)
        await self.wait_for(lambda: self.ended(waited), timeout_s=timeout_s, message="all ended")


class LiveStack:
    """A running stack, one login to it that outlives every outage, and its log."""

    def __init__(self, supervisor: Supervisor, nc: Client, log: FollowedLog) -> None:
        self.supervisor = supervisor
        self.log = log
        self.client = StackClient(nc, supervisor.record)
        self.requests: PackedRequests[SubmitTask, Answer] = PackedRequests(
            nc,
            subjects.command("scheduler", "submit", POOL),
            decode_answers=decode_answers,
            is_not_leader=lambda answer: isinstance(answer, NotLeader),
            patience_s=_PATIENCE_S,
        )

    @property
    def record(self) -> StackRecord:
        return self.supervisor.record

    async def submit(self, task: SubmitTask) -> UUID:
        answer = await self.requests.ask(task)
        assert isinstance(answer, Accepted), answer
        return answer.task


def identity_task(delay_ms: int = 0, *, name: str = "") -> SubmitTask:
    """A payload of its own that the model gives back, after an added delay if one is asked for."""
    command_id = name or str(uuid4())
    return SubmitTask(
        command_id=command_id,
        tenant=TENANT,
        family="identity",
        payload=f"payload of {command_id}".encode(),
        parameters={"delay_ms": str(delay_ms)} if delay_ms else None,
    )


@asynccontextmanager
async def live_stack(
    data: Path,
    *,
    noop: bool = False,
    devices: int = 1,
    mode: DeviceMode = DeviceMode.FIXED,
    slots: int | None = None,
    max_batch: int | None = None,
    policy: Path | None = None,
) -> AsyncGenerator[LiveStack]:
    """Run a stack on a data directory until the block ends."""
    plan = StackPlan(
        data,
        find_project(),
        devices=devices,
        tenants=(TENANT,),
        noop=noop,
        terms=DeviceTerms(mode),
        slots=slots,
        max_batch=max_batch,
        policy=policy,
    )
    async with (
        running_stack(plan) as supervisor,
        logged_in(supervisor.record, CLI) as nc,
        followed_log(data) as log,
    ):
        stack = LiveStack(supervisor, nc, log)
        try:
            yield stack
        finally:
            await stack.requests.stop()
    # Whatever a test does to a stack, its decisions follow from its log.
    report = verify_log(data / "log.db")
    assert (report["differences"], report["stopped"]) == ([], None)


@asynccontextmanager
async def followed_log(data: Path) -> AsyncGenerator[FollowedLog]:
    """The log in a data directory, whether a stack runs there or not."""
    reader = SqliteLogReader(data / "log.db")
    try:
        log = FollowedLog(reader)
        await log.read_on()
        yield log
    finally:
        await reader.close()


@asynccontextmanager
async def logged_in(
    record: StackRecord, user: str, *, refusals: list[str] | None = None
) -> AsyncGenerator[Client]:
    """A connection that comes back after every outage; what the server refuses is noted."""

    async def note(error: Exception) -> None:
        if refusals is not None:
            refusals.append(str(error))

    account = record.accounts[user]
    nc = await nats_client(
        record.nats_url,
        user=account.user,
        password=account.password,
        inbox_prefix=account.inbox_prefix.encode(),
        max_reconnect_attempts=-1,
        reconnect_time_wait=0.1,  # pyright: ignore[reportArgumentType] - declared as int, used as seconds
        error_cb=note,
    )
    try:
        yield nc
    finally:
        await nc.close()
