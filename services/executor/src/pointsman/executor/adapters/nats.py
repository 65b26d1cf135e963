"""The leader of the pool, over NATS: whatever becomes ready in one turn travels as one message."""

from typing import Final

import msgspec
import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError

from pointsman.contracts import subjects
from pointsman.contracts.commands import Answer, NotLeader, Rejected, decode_answers
from pointsman.contracts.endurance import CheckpointReport
from pointsman.contracts.leases import (
    AttachExecutor,
    AttemptReport,
    DeviceHealth,
    Renewal,
    ReportAnswer,
    ResidencyReport,
)
from pointsman.contracts.message import Message
from pointsman.executor.ports import AttachRefusedError, Identity
from pointsman.runtime.packing import PackedRequests, RequestRefusedError

_SERVICE: Final = "scheduler"
_UNAVAILABLE_RETRY_S: Final = 0.5

_encoder: Final = msgspec.json.Encoder()
_report_answers: Final = msgspec.json.Decoder(list[ReportAnswer])

_log = structlog.get_logger(__name__)


class NatsLeader:
    """Whoever leads the pool now; asked until it answers."""

    def __init__(self, nc: Client, identity: Identity) -> None:
        self._nc = nc
        self._identity = identity
        self._renewals = subjects.renewals(identity.pool)
        self._reports = self._reports_on("report")
        self._changes = self._reports_on("residency")
        self._checkpoints = self._reports_on("checkpoint")
        self._attach = self._commands("attach")
        self._health = self._commands("health")

    @property
    def connected(self) -> bool:
        """Whether the bus is there."""
        return self._nc.is_connected

    async def attach(self, attach: AttachExecutor) -> None:
        try:
            answer = await self._attach.ask(attach)
        except RequestRefusedError as error:
            raise self._refused(error.refusal) from error
        if isinstance(answer, Rejected):
            raise self._refused(answer)

    async def checkpoint(self, report: CheckpointReport) -> None:
        try:
            await self._checkpoints.ask(report)
        except RequestRefusedError as error:
            # The next attempt begins earlier; nothing else is lost.
            _log.error("checkpoint_refused", task=str(report.task), error=str(error))

    async def report(self, report: AttemptReport) -> None:
        try:
            await self._reports.ask(report)
        except RequestRefusedError as error:
            # Repeating it would not help; the leader ends the attempt when its lease is over.
            _log.error(
                "report_refused", task=str(report.task), attempt=report.attempt, error=str(error)
            )

    async def residency(self, report: ResidencyReport) -> None:
        try:
            await self._changes.ask(report)
        except RequestRefusedError as error:
            # Repeating it would not help; the leader hears of what is loaded when we attach again.
            _log.error(
                "residency_report_refused",
                device=report.device,
                generation=report.generation,
                error=str(error),
            )

    async def health(self, health: DeviceHealth) -> None:
        try:
            answer = await self._health.ask(health)
        except RequestRefusedError as error:
            answer = error.refusal
        if isinstance(answer, Rejected):
            _log.error("health_refused", device=health.device, reason=answer.message)

    async def renew(self, renewal: Renewal) -> None:
        if not self.connected:
            # The client would keep it and send stale ones later.
            return
        try:
            await self._nc.publish(self._renewals, _encoder.encode(renewal))
        except (NatsError, OSError) as error:
            _log.info("renewal_not_sent", error=str(error))

    async def stop(self) -> None:
        """Give up on what is not answered."""
        reports = (self._reports, self._changes, self._checkpoints)
        for requests in (*reports, self._attach, self._health):
            await requests.stop()

    def _subject(self, verb: str) -> str:
        return subjects.command(_SERVICE, verb, self._identity.pool)

    def _reports_on(self, verb: str) -> PackedRequests[Message, ReportAnswer]:
        return PackedRequests(
            self._nc,
            self._subject(verb),
            decode_answers=_report_answers.decode,
            is_not_leader=lambda answer: answer.status == "not_leader",
            retry_after=_report_retry_s,
            patience_s=None,
        )

    def _commands(self, verb: str) -> PackedRequests[Message, Answer]:
        return PackedRequests(
            self._nc,
            self._subject(verb),
            decode_answers=decode_answers,
            is_not_leader=lambda answer: isinstance(answer, NotLeader),
            patience_s=None,
        )

    def _refused(self, refusal: Rejected) -> AttachRefusedError:
        return AttachRefusedError(
            self._identity.executor,
            self._identity.pool,
            code=refusal.code,
            reason=refusal.message,
            next_step=refusal.next,
        )


def _report_retry_s(answer: ReportAnswer) -> float | None:
    return _UNAVAILABLE_RETRY_S if answer.status == "unavailable" else None
