"""Schedulers in processes of their own on one PostgreSQL, with one executor that runs no model."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, cast
from uuid import UUID, uuid4

from pointsman.contracts import subjects
from pointsman.contracts.commands import Accepted, Answer, NotLeader, SubmitTask, decode_answers
from pointsman.contracts.recorded import Recorded
from pointsman.eventstore.ports import Leader
from pointsman.eventstore.postgres import PostgresEventStore
from pointsman.runtime.nats_client import nats_client
from pointsman.runtime.packing import PackedRequests
from pointsman.testing.servers import PROJECT, nats_server, postgres
from pointsman.testing.waiting import wait_until

POOL: Final = "main"
_PATIENCE_S: Final = 30.0
_REGISTRY: Final = """
[[variant]]
model = "noop"
family = "noop"
quality = 0.5
memory_mib = 1.0
load_s = 0.0
slots = 16
service_s = 0.0001
service_p99_s = 0.001
media_type = "text/plain"
"""


@dataclass(slots=True)
class Process:
    """A child whose lines are kept."""

    child: asyncio.subprocess.Process
    lines: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    reading: asyncio.Task[None] | None = None

    async def read(self) -> None:
        assert self.child.stdout is not None
        async for line in self.child.stdout:
            try:
                self.lines.append(cast("dict[str, Any]", json.loads(line)))
            except ValueError:
                self.lines.append({"event": line.decode(errors="replace")})

    def said(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line.get("event") == event]

    def send(self, number: signal.Signals) -> None:
        self.child.send_signal(number)

    async def health(self) -> dict[str, Any]:
        """The components of `/ready`; empty while nothing listens."""
        served = self.said("health_served")
        if not served:
            return {}
        reader, writer = await asyncio.open_connection("127.0.0.1", served[0]["port"])
        writer.write(b"GET /ready HTTP/1.1\r\n\r\n")
        answer = await reader.read()
        writer.close()
        document = json.loads(answer.partition(b"\r\n\r\n")[2])
        return cast("dict[str, Any]", document["components"])

    async def stands_by(self) -> bool:
        return str((await self.health()).get("lead", {}).get("detail", "")).startswith("standby")

    async def end(self) -> None:
        if self.child.returncode is None:
            self.child.kill()
        await self.child.wait()
        if self.reading is not None:
            await self.reading


class Rivals:
    """The servers, the processes, and a desk that submits through every change of leaders."""

    def __init__(self, data: Path, nats_url: str, dsn: str, store: PostgresEventStore) -> None:
        self.data = data
        self.nats_url = nats_url
        self.dsn = dsn
        self.store = store
        self.processes: list[Process] = []
        self.requests: PackedRequests[SubmitTask, Answer] | None = None

    async def scheduler(self, *, dsn: str | None = None) -> Process:
        """Start one more; it leads, or stands by."""
        return await self._start(
            "pointsman.scheduler",
            POINTSMAN_DATABASE_URL=dsn or self.dsn,
            POINTSMAN_DATA=str(self.data),
            POINTSMAN_REGISTRY=str(self.data / "registry.toml"),
            POINTSMAN_HEALTH_PORT="0",
        )

    async def executor(self) -> Process:
        return await self._start(
            "pointsman.executor",
            POINTSMAN_EXECUTOR_DEVICES="noop-0=noop:",
            POINTSMAN_EXECUTOR_BLOBS=str(self.data / "blobs"),
            POINTSMAN_EXECUTOR_SLOTS="16",
        )

    async def leader(self) -> Leader:
        leader = await self.store.leader(POOL)
        assert leader is not None
        return leader

    async def leads(self, process: Process) -> bool:
        """Whether it was elected last; its name ends with its pid and a random part."""
        leader = await self.store.leader(POOL)
        return leader is not None and leader.holder.split("-")[-2] == str(process.child.pid)

    async def submit(self, count: int) -> list[UUID]:
        assert self.requests is not None
        answers = await asyncio.gather(*(self.requests.ask(_task()) for _ in range(count)))
        return [answer.task for answer in answers if isinstance(answer, Accepted)]

    async def log(self) -> list[Recorded]:
        return list(await self.store.read(0, limit=100_000))

    async def completed(self) -> set[UUID]:
        return {event.stream for event in await self.log() if event.type == "task.completed.v1"}

    async def wait_completed(self, tasks: list[UUID]) -> None:
        async def all_done() -> bool:
            return set(tasks) <= await self.completed()

        await wait_until(all_done, timeout_s=_PATIENCE_S)

    async def _start(self, module: str, **environment: str) -> Process:
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            module,
            cwd=PROJECT,
            env={**os.environ, "POINTSMAN_NATS_URL": self.nats_url, **environment},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        process = Process(child)
        process.reading = asyncio.create_task(process.read())
        self.processes.append(process)
        return process


def elapsed_since(began: float) -> float:
    return round(asyncio.get_running_loop().time() - began, 2)


async def soon(condition: Callable[[], Any]) -> float:
    """Wait for what is about to happen; how long it took."""
    began = asyncio.get_running_loop().time()
    await wait_until(condition, timeout_s=_PATIENCE_S)
    return elapsed_since(began)


@asynccontextmanager
async def rivals(tmp: Path) -> AsyncGenerator[Rivals]:
    """Servers and no scheduler yet; raises `ServerMissingError`."""
    (tmp / "registry.toml").write_text(_REGISTRY)
    async with postgres(tmp) as database, nats_server(tmp) as bus:
        store = await PostgresEventStore.open(database.dsn)
        nc = await nats_client(bus.url)
        here = Rivals(tmp, bus.url, database.dsn, store)
        here.requests = PackedRequests(
            nc,
            subjects.command("scheduler", "submit", POOL),
            decode_answers=decode_answers,
            is_not_leader=lambda answer: isinstance(answer, NotLeader),
            # A stopped leader says nothing: an asker that repeats soon tells when another answers.
            timeout_s=0.25,
            patience_s=_PATIENCE_S,
        )
        try:
            yield here
        finally:
            await here.requests.stop()
            await asyncio.gather(*(process.end() for process in here.processes))
            await nc.close()
            await store.close()


def _task() -> SubmitTask:
    return SubmitTask(command_id=uuid4().hex, tenant="acme", family="noop", payload=b"a text")
