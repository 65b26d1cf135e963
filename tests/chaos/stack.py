"""A stack as a person runs it, seen from outside: its processes, its logins, its answers."""

import asyncio
import sys
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
import psycopg
from nats.aio.client import Client
from nats.errors import Error as NatsError

from pointsman.cli.stack.accounts import CLI, SCHEDULER, producer
from pointsman.cli.stack.plan import POSTGRES, SERVICES, STANDBY
from pointsman.cli.stack.record import StackRecord, read_record
from pointsman.cli.stack.supervisor import NATS
from pointsman.contracts import subjects
from pointsman.contracts.queries import PoolRow
from pointsman.runtime.nats_client import nats_client
from tests.chaos.log import LogPlace
from tests.chaos.options import TENANTS, Options
from tests.chaos.pauses import pause
from tests.e2e.live_stack import logged_in
from tests.e2e.up import environment

_ASK_S: Final = 0.5
_LOOK_S: Final = 0.05
_STOP_S: Final = 90.0
# A question that each service answers by itself.
_QUESTIONS: Final = {
    SERVICES: ("scheduler", "pool"),
    SCHEDULER: ("scheduler", "pool"),
    STANDBY: ("scheduler", "pool"),
    "resource_monitor": ("resource_monitor", "snapshot"),
    "degradation": ("degradation", "state"),
    "feedback": ("feedback", "show"),
    "context": ("context", "pool"),
}


class _Refusal(msgspec.Struct):
    """The part of an answer that tells a refusal from a result."""

    status: str = ""


_refusals: Final = msgspec.json.Decoder(_Refusal)


class StackEndedError(Exception):
    """The stack gave up or did not start; `tail` is what it said last."""

    def __init__(self, tail: str) -> None:
        super().__init__(f"the stack has ended. It said:\n{tail}")


@dataclass(slots=True)
class ChaosStack:
    """A running `pointsman up` with logins that outlive every outage."""

    process: asyncio.subprocess.Process
    data: Path
    said: Path
    commands: Client
    scheduler: Client
    inboxes: dict[str, Client]
    last_record: StackRecord
    """As it was read the last time."""

    @property
    def record(self) -> StackRecord:
        """`stack.json` as it is now."""
        record = read_record(self.data)
        if record is None:
            raise StackEndedError(tail(self.said))
        self.last_record = record
        return record

    @property
    def log(self) -> LogPlace:
        return LogPlace(self.data / "log.db", self.last_record.database_url)

    def pid_of(self, part: str) -> int:
        return self.record.parts[part].pid

    def require_alive(self) -> None:
        """Raises `StackEndedError`."""
        if self.process.returncode is not None:
            raise StackEndedError(tail(self.said))

    async def leader(self) -> PoolRow | None:
        """The row of the scheduler that leads, None while nobody answers."""
        row = await self._ask("scheduler", "pool")
        return None if row is None else msgspec.json.decode(row, type=PoolRow)

    async def answers(self, part: str, old_pid: int) -> None:
        """Return when a part that was killed runs again and answers."""
        while self.pid_of(part) == old_pid or not await self._part_answers(part):
            self.require_alive()
            await pause(_LOOK_S)

    async def _part_answers(self, part: str) -> bool:
        if part == NATS:
            return await _connects(self.record)
        if part == POSTGRES:
            return await asyncio.to_thread(_selects, self.record.database_url)
        asked = _QUESTIONS.get(part)
        return asked is None or await self._ask(*asked) is not None

    async def _ask(self, service: str, verb: str) -> bytes | None:
        try:
            reply = await self.commands.request(
                subjects.query(service, verb), b"{}", timeout=_ASK_S
            )
        except (NatsError, TimeoutError, OSError):
            return None
        # A list of rows is no refusal.
        refused = reply.data.startswith(b"{") and _refusals.decode(reply.data).status
        return None if refused else reply.data


@asynccontextmanager
async def chaos_stack(data: Path, options: Options) -> AsyncGenerator[ChaosStack]:
    """Run `pointsman up` on a data directory until the block ends, then stop it in order."""
    said = data.with_name(f"{data.name}.said")
    process = await _start(data, said, options)
    try:
        record = read_record(data)
        assert record is not None
        async with AsyncExitStack() as logins:
            names = [CLI, SCHEDULER, *(producer(tenant) for tenant in TENANTS)]
            commands, scheduler, *inboxes = [
                await logins.enter_async_context(_login(record, name)) for name in names
            ]
            by_tenant: dict[str, Client] = dict(zip(TENANTS, inboxes, strict=True))
            yield ChaosStack(process, data, said, commands, scheduler, by_tenant, record)
    finally:
        await stop(process)


@asynccontextmanager
async def _login(record: StackRecord, user: str) -> AsyncGenerator[Client]:
    """As `logged_in`, but the server may be gone at the end."""
    nc: Client | None = None
    try:
        async with logged_in(record, user) as nc:
            yield nc
    except ConnectionError:
        if nc is None or not nc.is_closed:
            raise


async def _start(data: Path, said: Path, options: Options) -> asyncio.subprocess.Process:
    tenants = [word for tenant in TENANTS for word in ("--tenant", tenant)]
    kind = [] if options.triton else ["--noop"]
    kind += ["--mode", "dedicated", "--devices", "2"] if options.dedicated else []
    shape = [] if options.store == "sqlite" else ["--processes", "--standby"]
    with said.open("ab") as written:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "pointsman.cli", "up", "--data", str(data), "-o", "jsonl",
            *tenants, *kind, *shape,
            env=environment(), stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE, stderr=written, start_new_session=True,
        )  # fmt: skip
    assert process.stdout is not None
    if not await process.stdout.readline():
        await process.wait()
        raise StackEndedError(tail(said))
    return process


async def stop(process: asyncio.subprocess.Process) -> None:
    """As Ctrl-C does, and as `kill -9` does if that does not help."""
    if process.returncode is None:
        process.terminate()
    try:
        async with asyncio.timeout(_STOP_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


async def _connects(record: StackRecord) -> bool:
    account = record.accounts[CLI]
    try:
        nc = await nats_client(
            record.nats_url,
            user=account.user,
            password=account.password,
            inbox_prefix=account.inbox_prefix.encode(),
            connect_timeout=1,
            allow_reconnect=False,
            max_reconnect_attempts=1,
            error_cb=_ignore,
        )
    except (NatsError, OSError, TimeoutError):
        return False
    await nc.close()
    return True


async def _ignore(_error: Exception) -> None:
    """The library prints errors otherwise."""


def _selects(dsn: str) -> bool:
    try:
        with psycopg.connect(dsn, connect_timeout=2, autocommit=True) as db:
            row: tuple[Any, ...] | None = db.execute("SELECT 1").fetchone()
    except psycopg.Error:
        return False
    return row is not None


def tail(path: Path, lines: int = 20) -> str:
    """The last lines of a file."""
    if not path.exists():
        return ""
    return "\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
