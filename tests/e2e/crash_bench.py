"""Services and an executor whose processes a test ends at crash points and starts again.

One nats-server and, where it can run, one Triton serve all of them for as long as the bench lives;
the log grows from crash to crash, as it would in a bad month.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Final
from uuid import UUID

import msgspec
from nats.aio.client import Client

from pointsman.cli.client import StackClient
from pointsman.cli.stack.accounts import CLI, SCHEDULER, Account, nats_users, new_accounts
from pointsman.cli.stack.children import executor_environment, services_environment
from pointsman.cli.stack.data_directory import DataDirectory
from pointsman.cli.stack.plan import EXECUTOR, POOL, SERVICES, StackPlan
from pointsman.cli.stack.project import find_project
from pointsman.cli.stack.record import DeviceRecord, StackRecord
from pointsman.contracts import subjects
from pointsman.contracts.commands import (
    Accepted,
    Answer,
    Duplicate,
    NotLeader,
    SubmitTask,
    decode_answers,
)
from pointsman.contracts.queries import ListTasks, TaskRow
from pointsman.contracts.recorded import Recorded, decode_pack
from pointsman.eventstore import SqliteEventStore
from pointsman.eventstore.log_reader import SqliteLogReader
from pointsman.runtime.crashpoints import CrashPoint
from pointsman.runtime.packing import PackedRequests
from pointsman.scheduler.adapters.views import TaskViews
from pointsman.testing import triton_here, wait_until
from pointsman.testing.servers import nats_server, triton
from tests.e2e.crashes import ACCEPTED, Crash, MessageId
from tests.e2e.forked_part import EXECUTOR_MAIN, SERVICES_MAIN, ForkedPart, fork_server
from tests.e2e.housed_stack import view_rows
from tests.e2e.live_stack import (
    TENANT,
    FollowedLog,
    followed_log,
    identity_task,
    logged_in,
)
from tests.e2e.sender import STRUCTURED, Sender, new_id, sender, structured

MESSAGES: Final = 4
COMMANDS: Final = 4
"""Together twice the slots of the device, so that there is a second round of grants."""

_ATTACHED: Final = "device.attached.v1"
_PATIENCE_S: Final = 60.0


@dataclass(slots=True)
class CrashBench:
    """A stack of two processes; `crash` ends one of them at a point and starts it again."""

    plan: StackPlan
    forking: ForkServerContext
    directory: DataDirectory
    accounts: dict[str, Account]
    nats_url: str
    devices: list[DeviceRecord]
    relayed: Client
    sender: Sender
    client: StackClient
    log: FollowedLog
    requests: PackedRequests[SubmitTask, Answer]
    parts: dict[str, ForkedPart] = field(default_factory=dict[str, ForkedPart])
    fed: list[Recorded] = field(default_factory=list[Recorded])
    fed_messages: int = 0

    async def start(self, part: str, crash_at: str = "") -> None:
        """Start a process of ours; an executor is back when its device is attached."""
        before = self.log.events[-1].position if self.log.events else 0
        environment = self._services() if part == SERVICES else self._executor()
        if crash_at:
            environment |= {"POINTSMAN_CRASH_AT": crash_at, "POINTSMAN_CRASHPOINTS": "1"}
        main = SERVICES_MAIN if part == SERVICES else EXECUTOR_MAIN
        child = ForkedPart(self.forking, main, environment, self.directory.log(part))
        self.parts[part] = child
        await child.start()
        if part == EXECUTOR:
            await self.log.wait_for(
                lambda: any(e.type == _ATTACHED and e.position > before for e in self.log.events),
                message="the device is attached again",
            )

    async def end(self, part: str) -> int:
        """End a process that is idle."""
        self.parts[part].kill()
        return await self.parts[part].wait()

    async def crash(self, point: CrashPoint, hit: int, part: str, rebuilt: Path) -> Crash:
        """Have `part` die at `point` while tasks are under way, start it again, wait for all."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        await self.end(part)
        await self.start(part, f"{point}:{hit}")
        child = self.parts[part]
        asking = asyncio.gather(self._send_messages(), self._send_commands())
        more: list[asyncio.Future[list[UUID]]] = []
        try:
            status = await self._dies(child, more)
            await self.start(part)
            ids, tasks = await asking
            tasks += [task for some in more for task in await some]
        finally:
            for each in (asking, *more):
                each.cancel()
        await self.log.wait_for(lambda: self._accepted(ids).keys() == set(ids))
        tasks += [task for accepted in self._accepted(ids).values() for task in accepted]
        await self.log.wait_for_ends(tasks)
        await wait_until(self._all_is_fed, message="the feed has the whole log")
        # The views catch up before they answer.
        await self.client.ask("tasks", ListTasks(limit=1), list[TaskRow])
        return Crash(
            point=point,
            part=part,
            status=status,
            last_words=_last_words(child.log, point),
            tasks={task: self.log.of(task) for task in tasks},
            asked=MESSAGES + COMMANDS * (1 + len(more)),
            events=self.log.events,
            fed=self.fed,
            live_views=view_rows(self.plan.data),
            rebuilt_views=await _rebuilt_views(self.plan.data, rebuilt),
            seconds=round(loop.time() - began, 2),
        )

    async def _dies(self, child: ForkedPart, more: list[asyncio.Future[list[UUID]]]) -> int:
        """How a part ended that is to die at a point.

        On a busy machine one round may take all tasks at once: then there is more to do.
        """
        death = asyncio.ensure_future(child.wait())
        async with asyncio.timeout(_PATIENCE_S):
            while not (await asyncio.wait((death,), timeout=_PATIENCE_S / 6))[0]:
                more.append(asyncio.ensure_future(self._send_commands()))
        return await death

    async def inbox_is_empty(self) -> bool:
        """Whether every message was acknowledged, also those that were delivered again."""
        manager = self.relayed.jsm()
        info = await manager.consumer_info(subjects.INBOX_STREAM, subjects.INBOX_CONSUMER)
        return not info.num_pending and not info.num_ack_pending

    async def _send_messages(self) -> list[str]:
        """Ids of messages that JetStream has."""
        ids = [new_id() for _ in range(MESSAGES)]
        for each in ids:
            await self.sender.send(
                structured(each, {"family": "identity", "text": each}), STRUCTURED
            )
        return ids

    async def _send_commands(self) -> list[UUID]:
        """Tasks of commands, each repeated until it is answered."""
        answers = await asyncio.gather(
            *(self.requests.ask(identity_task()) for _ in range(COMMANDS))
        )
        # After a crash between the commit and its answer the repetition is a duplicate.
        return [answer.task for answer in answers if isinstance(answer, Accepted | Duplicate)]

    def _accepted(self, ids: Sequence[str]) -> dict[str, list[UUID]]:
        """The tasks of messages, by the ids of those that were accepted."""
        found: dict[str, list[UUID]] = {}
        for event in self.log.events:
            if event.type == ACCEPTED:
                message_id = msgspec.json.decode(event.data, type=MessageId).message_id
                if message_id in ids:
                    found.setdefault(message_id, []).append(event.stream)
        return found

    async def _all_is_fed(self) -> bool:
        """Read what was published since the last time."""
        manager = self.relayed.jsm()
        last = (await manager.stream_info(subjects.FEED_STREAM)).state.last_seq
        for sequence in range(self.fed_messages + 1, last + 1):
            message = await manager.get_msg(subjects.FEED_STREAM, sequence)
            self.fed += decode_pack(message.data or b"")
        self.fed_messages = last
        await self.log.read_on()
        return bool(self.fed) and self.fed[-1].position >= self.log.events[-1].position

    def _services(self) -> dict[str, str]:
        return services_environment(
            self.plan, self.directory, self.accounts, self.nats_url, self.devices
        )

    def _executor(self) -> dict[str, str]:
        return executor_environment(
            self.plan, self.directory, self.accounts[EXECUTOR], self.nats_url, self.devices
        )


def _last_words(log: Path, point: CrashPoint) -> str:
    """The last line that names a crash point: the process writes it right before it dies."""
    lines = [
        line for line in log.read_text(encoding="utf-8").splitlines() if '"crash_point"' in line
    ]
    return lines[-1] if lines and point in lines[-1] else ""


async def _rebuilt_views(data: Path, into: Path) -> dict[str, list[tuple[object, ...]]]:
    """The scheduler's views, made from nothing but the log."""
    log = SqliteLogReader(data / "log.db")
    views = TaskViews(into, log)
    following = asyncio.create_task(views.run())
    try:
        assert await views.caught_up(await log.head(), timeout_s=_PATIENCE_S)
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await views.close()
        await log.close()
    return view_rows(into)


@asynccontextmanager
async def _devices(data: Path, plan: StackPlan) -> AsyncGenerator[list[DeviceRecord]]:
    """A real Triton, or the stand-in that says of itself that it runs no model."""
    if plan.noop:
        yield [DeviceRecord("noop-0", "noop:", "noop")]
        return
    async with triton(data, name="crash-bench") as server:
        yield [DeviceRecord("cpu-0", f"grpc://{server.grpc_address}", "triton")]


@asynccontextmanager
async def crash_bench(data: Path) -> AsyncGenerator[CrashBench]:
    """A bench with both processes up, until the block ends."""
    plan = StackPlan(
        data, find_project(), tenants=(TENANT,), noop=not triton_here().ok, services=(SCHEDULER,)
    )
    accounts = new_accounts([EXECUTOR], plan.tenants)
    users = nats_users(accounts, pool=POOL, executors=[EXECUTOR], tenants=plan.tenants)
    async with AsyncExitStack() as stack:
        directory = DataDirectory(data)
        stack.callback(directory.release)
        # An empty log, because who follows one needs its file.
        await SqliteEventStore(data / "log.db").close()
        nats = await stack.enter_async_context(nats_server(data, users=users))
        devices = await stack.enter_async_context(_devices(data, plan))
        record = StackRecord(
            pointsman="", python="", pid=0, data=data, pool=POOL, started_at=0.0, ready=True,
            nats_url=nats.url, nats_version="", accounts=accounts, parts={},
        )  # fmt: skip
        nc = await stack.enter_async_context(logged_in(record, CLI))
        bench = CrashBench(
            plan=plan,
            forking=fork_server(),
            directory=directory,
            accounts=accounts,
            nats_url=nats.url,
            devices=devices,
            relayed=await stack.enter_async_context(logged_in(record, SCHEDULER)),
            sender=await stack.enter_async_context(sender(record, TENANT)),
            client=StackClient(nc, record),
            log=await stack.enter_async_context(followed_log(data)),
            requests=_requests(nc),
        )
        stack.push_async_callback(bench.requests.stop)
        stack.push_async_callback(bench.end, SERVICES)
        await bench.start(SERVICES)
        stack.push_async_callback(bench.end, EXECUTOR)
        await bench.start(EXECUTOR)
        yield bench


def _requests(nc: Client) -> PackedRequests[SubmitTask, Answer]:
    return PackedRequests(
        nc,
        subjects.command("scheduler", "submit", POOL),
        decode_answers=decode_answers,
        is_not_leader=lambda answer: isinstance(answer, NotLeader),
        patience_s=_PATIENCE_S,
    )
