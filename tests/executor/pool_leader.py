"""A leader of plain nats-py that knows nothing but the contracts."""

from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Self

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg

from pointsman.contracts import subjects
from pointsman.contracts.commands import Answer, Done, encode_answer
from pointsman.contracts.endurance import CheckpointReport
from pointsman.contracts.leases import (
    AttachExecutor,
    AttemptReport,
    DeviceHealth,
    Lease,
    LeaseOrder,
    LeaseReceipt,
    Renewal,
    ReportAnswer,
    ResidencyReport,
)
from pointsman.contracts.streams import stream_id
from pointsman.runtime.nats_client import nats_client
from pointsman.testing.waiting import PATIENCE_S


class PoolLeader:
    """Answers everything; `statuses` are given to reports first, `refusal` to attach and health."""

    def __init__(self, nc: Client, executor: str = "executor-1") -> None:
        self.attached: list[AttachExecutor] = []
        self.reports: list[AttemptReport] = []
        self.recorded: dict[Lease, AttemptReport] = {}
        self.healths: list[DeviceHealth] = []
        self.changes: list[ResidencyReport] = []
        self.renewals: list[Renewal] = []
        self.checkpoints: list[CheckpointReport] = []
        self.report_messages = 0
        self.statuses: list[str] = []
        self.refusal: Answer | None = None
        self.silent = False
        self._nc = nc
        self._lease_subject = subjects.lease("main", executor)

    @classmethod
    @asynccontextmanager
    async def on(cls, url: str) -> AsyncGenerator[Self]:
        """Lead pool `main` until the end of the block."""
        nc = await nats_client(url, max_reconnect_attempts=-1, reconnect_time_wait=0)
        leader = cls(nc)
        for verb in ("attach", "checkpoint", "report", "health", "residency"):
            subject = subjects.command("scheduler", verb, "main")
            await nc.subscribe(subject, cb=getattr(leader, f"on_{verb}"))
        await nc.subscribe(subjects.renewals("main"), cb=leader.on_renewal)
        await nc.flush()
        try:
            yield leader
        finally:
            await nc.close()

    async def order(self, order: LeaseOrder, *, timeout_s: float = PATIENCE_S) -> LeaseReceipt:
        body = await self.ask(self._lease_subject, msgspec.json.encode(order), timeout_s=timeout_s)
        return msgspec.json.decode(body, type=LeaseReceipt)

    async def ask(self, subject: str, body: bytes, *, timeout_s: float = PATIENCE_S) -> bytes:
        return (await self._nc.request(subject, body, timeout=timeout_s)).data

    async def on_attach(self, message: Msg) -> None:
        commands = msgspec.json.decode(message.data, type=list[AttachExecutor])
        self.attached += commands
        await self._answer(message, len(commands))

    async def on_health(self, message: Msg) -> None:
        commands = msgspec.json.decode(message.data, type=list[DeviceHealth])
        self.healths += commands
        await self._answer(message, len(commands))

    async def on_report(self, message: Msg) -> None:
        self.report_messages += 1
        reports = msgspec.json.decode(message.data, type=list[AttemptReport])
        self.reports += reports
        if self.silent:
            return
        answers: list[ReportAnswer] = []
        for report in reports:
            status = self.statuses.pop(0) if self.statuses else "recorded"
            if status == "recorded":
                self.recorded[Lease(task=report.task, attempt=report.attempt)] = report
            answers.append(ReportAnswer(task=report.task, attempt=report.attempt, status=status))
        await message.respond(msgspec.json.encode(answers))

    async def on_checkpoint(self, message: Msg) -> None:
        reports = msgspec.json.decode(message.data, type=list[CheckpointReport])
        self.checkpoints += reports
        answers = [
            ReportAnswer(
                task=report.task,
                attempt=report.attempt,
                status=self.statuses.pop(0) if self.statuses else "recorded",
            )
            for report in reports
        ]
        await message.respond(msgspec.json.encode(answers))

    async def on_residency(self, message: Msg) -> None:
        reports = msgspec.json.decode(message.data, type=list[ResidencyReport])
        self.changes += reports
        if self.silent:
            return
        answers = [
            ReportAnswer(
                task=stream_id("device", report.device),
                attempt=report.generation,
                status=self.statuses.pop(0) if self.statuses else "recorded",
            )
            for report in reports
        ]
        await message.respond(msgspec.json.encode(answers))

    async def on_renewal(self, message: Msg) -> None:
        self.renewals.append(msgspec.json.decode(message.data, type=Renewal))

    def outcomes(self) -> Counter[str]:
        return Counter(type(report.outcome).__name__ for report in self.recorded.values())

    async def _answer(self, message: Msg, count: int) -> None:
        if self.silent:
            return
        answer, self.refusal = self.refusal or Done(), None
        single = encode_answer(answer)
        await message.respond(b"[" + b",".join([single] * count) + b"]")
