"""A work queue of other systems: JetStream messages in, answers on `pm.answer` out."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg

from pointsman.contracts import subjects
from pointsman.contracts.commands import Answer, NotLeader, Rejected, Unavailable, encode_answer
from pointsman.runtime.acknowledgement import DeadLetter, DeadLetters, TransientError, settle
from pointsman.runtime.crashpoints import CrashPoint, crashpoint
from pointsman.runtime.puller import ConsumerGoneError, Puller, PullerStoppedError

_PROVISION_RETRY_S: Final = 0.5

_log = structlog.get_logger(__name__)

Work = Callable[[str, Msg], Awaitable[tuple[str, Answer]]]
"""Does what a tenant's message asks for; gives the id that its sender knows it by, and the answer.

What it raises is handled as `acknowledgement.settle` says.
"""
NextStep = Callable[[DeadLetter], str]
"""What the sender of a dead letter can do."""


class RefusedMessageError(Exception):
    """The message is well formed; what it asks for was refused, with the code of the refusal."""

    def __init__(self, refusal: Rejected, message_id: str) -> None:
        super().__init__(f"{refusal.message}; {refusal.next}" if refusal.next else refusal.message)
        self.code = refusal.code
        self.message_id = message_id


class WorkQueue:
    """Pulls messages, has them worked on and answers their senders.

    Acknowledged after the work. `Unavailable` and `NotLeader` are retried as the acknowledgement
    policy allows. What is refused, or cannot be taken, becomes a dead letter and is answered as
    rejected. `provision` creates the stream and its consumer anew when they are gone.
    """

    def __init__(
        self,
        nc: Client,
        puller: Puller,
        work: Work,
        dead_letters: DeadLetters,
        *,
        next_step: NextStep,
        provision: Callable[[], Awaitable[object]],
    ) -> None:
        self._nc = nc
        self._puller = puller
        self._do = work
        self._dead_letters = dead_letters
        self._next_step = next_step
        self._provision = provision

    async def run(self) -> None:
        """Until `stop`."""
        while True:
            try:
                crashpoint(CrashPoint.BEFORE_INBOX_RECEIVE)
                messages = await self._puller.next()
                crashpoint(CrashPoint.AFTER_INBOX_RECEIVE)
            except PullerStoppedError:
                return
            except ConsumerGoneError as error:
                _log.warning("inbox_gone", code=error.code, detail=str(error))
                await self._provision()
                await asyncio.sleep(_PROVISION_RETRY_S)
                continue
            await asyncio.gather(*(self._settle(message) for message in messages))

    async def stop(self) -> None:
        """Pull no more; `run` returns when what was pulled is settled."""
        await self._puller.stop()

    async def record(self, letter: DeadLetter) -> None:
        """Record a dead letter, then answer its sender."""
        await self._dead_letters.record(letter)
        refusal = Rejected(code=letter.code, message=letter.detail, next=self._next_step(letter))
        await self._answer(letter.tenant, letter.message_id, refusal)

    async def _settle(self, message: Msg) -> None:
        tenant = subjects.tenant_of_inbox(message.subject)
        await settle(message, self._work, self, tenant=tenant)

    async def _work(self, message: Msg) -> None:
        tenant = subjects.tenant_of_inbox(message.subject)
        message_id, answer = await self._do(tenant, message)
        match answer:
            case Unavailable(message=detail):
                raise TransientError(detail)
            case NotLeader():
                detail = "this scheduler does not lead the pool any more"
                raise TransientError(detail)
            case Rejected():
                raise RefusedMessageError(answer, message_id)
            case _:
                await self._answer(tenant, message_id, answer)

    async def _answer(self, tenant: str, message_id: str, answer: Answer) -> None:
        # The sender may not be listening.
        await self._nc.publish(subjects.answer(tenant, message_id), encode_answer(answer))
